"""Translations beside PyTorch, from the same weights, and their metrics beside scikit-image."""

import numpy as np
import pytest

from flaxgan.metrics.ms_ssim import ssim
from flaxgan.metrics.translation import luma, psnr


@pytest.mark.filterwarnings("ignore:.*requires_grad=True to a scalar.*")
@pytest.mark.parametrize("method", ["pix2pix", "cyclegan", "srgan"])
def test_losses_of_the_first_step_agree(torch, method):
    """Networks, losses and, in pix2pix, one update of the discriminator."""
    from benchmarks.vs_pytorch_translation import config_of, first_losses

    config = config_of(method, 32, 8, blocks=2, batch_size=2)
    ours, theirs = first_losses(config)
    assert ours == pytest.approx(theirs, rel=1e-4)


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, (5, 33, 40, 3), np.uint8)
    noise = rng.normal(0, 20, a.shape)
    return a, np.clip(a + noise, 0, 255).astype(np.uint8)


def test_psnr_and_ssim_are_scikit_images(pairs):
    metrics = pytest.importorskip("skimage.metrics")
    how = {
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
        "data_range": 255,
        "channel_axis": -1,
    }
    for got_psnr, got_ssim, a, b in zip(psnr(*pairs), ssim(*pairs), *pairs, strict=True):
        want = metrics.peak_signal_noise_ratio(a, b, data_range=255)
        np.testing.assert_allclose(got_psnr, want, rtol=1e-6)
        want = metrics.structural_similarity(a, b, **how)
        np.testing.assert_allclose(got_ssim, want, atol=1e-4)


def test_luma_is_that_of_scikit_image(pairs):
    color = pytest.importorskip("skimage.color")
    np.testing.assert_allclose(luma(pairs[0])[..., 0], color.rgb2ycbcr(pairs[0])[..., 0], atol=1e-3)
