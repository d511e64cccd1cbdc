"""Our distances against independent tools', on the same features and pictures."""

import jax
import numpy as np
import pytest

from flaxgan.metrics import neighbours
from flaxgan.metrics.frechet import frechet
from flaxgan.metrics.kernel import mmd2
from flaxgan.metrics.ms_ssim import ms_ssim
from flaxgan.pretrained import inception
from tests.parity.conftest import pictures

RNG = np.random.default_rng(0)


def feature_sets(n, dim):
    """Two sets of skewed, correlated, positive features, as a network's are."""
    mix = RNG.normal(size=(dim, dim)) / np.sqrt(dim)
    return [
        np.maximum(RNG.normal(shift, 1, (n, dim)) @ mix + 0.3, 0).astype(np.float32)
        for shift in (0, 0.2)
    ]


def their_frechet(torch, real, generated):
    from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

    statistics = [
        fid_features_to_statistics(torch.from_numpy(x.astype(np.float64)))
        for x in (real, generated)
    ]
    return fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]


def test_frechet_distance(torch, torch_fidelity):
    real, generated = feature_sets(600, 200)
    assert frechet(real, generated) == pytest.approx(
        their_frechet(torch, real, generated), rel=1e-6
    )


def test_fid_from_pictures_to_distance(torch, torch_fidelity, theirs, inception_pair):
    """Each tool with its own extractor; the first 32 of the features, so that 40 pictures span
    them.
    """
    extractor, variables = inception_pair
    real, generated = pictures(40, (64, 64), seed=1), pictures(40, (64, 64), seed=2) // 2
    ours = [
        np.asarray(jax.jit(inception.features)(variables, x))[:, :32] for x in (real, generated)
    ]
    want = their_frechet(torch, *(theirs(extractor, x)[0][:, :32] for x in (real, generated)))
    assert frechet(*ours) == pytest.approx(want, rel=1e-3)


def test_kernel_distance(torch, torch_fidelity):
    from torch_fidelity.metric_kid import kid_features_to_metric

    real, generated = feature_sets(300, 100)
    # a subset of all: nothing is left to chance
    whole = {"kid_subsets": 1, "kid_subset_size": 300, "verbose": False}
    want = kid_features_to_metric(torch.from_numpy(real), torch.from_numpy(generated), **whole)
    assert mmd2(real, generated) == pytest.approx(want["kernel_inception_distance_mean"], rel=1e-3)


def test_precision_recall_density_coverage():
    prdc = pytest.importorskip("prdc")
    real, generated = (RNG.normal(0, scale, (700, 6)).astype(np.float32) for scale in (1, 0.7))
    ours = neighbours.between(real, generated, *map(neighbours.within, (real, generated)))
    at_3, at_5 = (
        prdc.compute_prdc(real, generated, nearest_k=k)
        for k in (neighbours.K_PRECISION, neighbours.K_DENSITY)
    )
    assert 0.05 < ours.recall < 0.95 and 0.05 < ours.coverage < 0.95
    # Theirs leaves out what lies on the rim of a ball, which changes the last digits of continuous
    # features at most.
    assert ours.precision == pytest.approx(at_3["precision"], rel=1e-3)
    assert ours.recall == pytest.approx(at_3["recall"], rel=1e-3)
    assert ours.density == pytest.approx(at_5["density"], rel=1e-3)
    assert ours.coverage == pytest.approx(at_5["coverage"], rel=1e-3)


@pytest.mark.parametrize("size", [(176, 176), (201, 183)])
@pytest.mark.parametrize("channels", [1, 3])
def test_ms_ssim(torch, size, channels):
    package = pytest.importorskip("pytorch_msssim")
    a, b = pictures(3, size, channels, seed=3), pictures(3, size, channels, seed=4)
    b = (0.7 * a + 0.3 * b).astype(np.uint8)
    tensors = [torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32)) for x in (a, b)]
    want = package.ms_ssim(*tensors, data_range=255, size_average=False).numpy()
    assert 0.1 < want.min() < want.max() < 0.95
    np.testing.assert_allclose(ms_ssim(a, b), want, rtol=1e-3)
