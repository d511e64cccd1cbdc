"""Translations beside PyTorch, from the same weights, and their metrics beside scikit-image."""

import functools

import jax
import numpy as np
import pytest

from flaxgan.methods import frozen, method_of
from flaxgan.methods.state import with_frozen
from flaxgan.metrics.ms_ssim import ssim
from flaxgan.metrics.translation import luma, psnr
from flaxgan.system.errors import UserError
from tests.parity.test_vgg import hed_of, maps_of


@pytest.mark.filterwarnings("ignore:.*requires_grad=True to a scalar.*")
@pytest.mark.parametrize("method", ["pix2pix", "cyclegan", "cut", "srgan"])
def test_losses_of_the_first_step_agree(torch, method):
    """Networks, losses and, in pix2pix, one update of the discriminator."""
    from benchmarks.vs_pytorch_translation import config_of, first_losses

    config = config_of(method, 32, 8, blocks=2, batch_size=2)
    ours, theirs = first_losses(config)
    assert ours == pytest.approx(theirs, rel=1e-4)


def test_networks_that_change_sizes_with_a_blur_agree(torch):
    from benchmarks.vs_pytorch_translation import config_of, first_losses

    config = config_of("cyclegan", 32, 8, blocks=1, batch_size=2, antialias=True)
    ours, theirs = first_losses(config)
    assert ours == pytest.approx(theirs, rel=1e-4)


@pytest.mark.filterwarnings("ignore:.*requires_grad=True to a scalar.*")
def test_losses_of_the_second_phase_of_srgan_agree(torch):
    """The features are HED's, whose weights are there."""
    from benchmarks.pytorch_translation import TorchTrainer
    from benchmarks.vs_pytorch_translation import config_of, random_batch

    config = config_of("srgan", 32, 8, blocks=2, batch_size=2, perceptual_network="hed")
    try:
        state = with_frozen(method_of(config).create_state(config), frozen(config))
    except UserError as error:
        pytest.skip(str(error))
    batch = random_batch(config).all_arrays
    step = functools.partial(method_of(config).train_step, config=config, stage=1)
    ours = jax.jit(step)(state, batch)[1]
    trainer = TorchTrainer(config, state, False)
    source, image = (trainer.put(batch[name]) for name in ("source", "image"))
    made = trainer.nets["generator"](source)
    vgg = hed_of(torch, state.features.variables)
    maps = (maps_of(torch, vgg, 127.5 * x + 127.5)[:4] for x in (made, image))
    distances = [
        (unit(torch, a) - unit(torch, b)).square().sum(1).mean() for a, b in zip(*maps, strict=True)
    ]
    theirs = {
        "l1_loss": (made - image).abs().mean(),
        "perceptual_loss": torch.stack(distances).mean(),
        "g_loss": trainer._adversarial("discriminator", made),
        "d_loss": trainer._judged("discriminator", image, made),
    }
    for name, value in theirs.items():
        assert float(ours[name]) == pytest.approx(float(value), rel=1e-4), name


def unit(torch, x):
    return x * (x.square().sum(1, keepdim=True) + 1e-6).rsqrt()


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
