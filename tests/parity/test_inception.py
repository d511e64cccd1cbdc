"""InceptionV3 and the inception score against torch-fidelity's own classes, with the same random
weights.
"""

import io

import jax
import numpy as np
import pytest

from flaxgan.metrics.inception_score import inception_score
from flaxgan.pretrained import inception
from flaxgan.pretrained.weights import read_tensors
from tests.parity.conftest import pictures

SIZES = [(28, 28), (64, 64), (300, 200), (299, 299)]


def agree(got, want, tolerance):
    """Within tolerance * the largest value."""
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * abs(want).max())


@pytest.mark.parametrize("legacy", [False, True])
def test_files_of_torch_save(torch, legacy):
    """Both formats: views, several types, a parameter, scalars."""
    base = torch.arange(24.0).reshape(4, 6)
    content = {
        "whole": base,
        "turned": base[1:, 2:].T,
        "half": base.half(),
        "double": base.double(),
        "count": torch.tensor(7),
        "parameter": torch.nn.Parameter(base * 2),
        "empty": torch.empty(0, 3),
    }
    file = io.BytesIO()
    torch.save(content, file, _use_new_zipfile_serialization=not legacy)
    tensors = read_tensors(file.getvalue())
    assert list(tensors) == list(content)
    for name, tensor in content.items():
        np.testing.assert_array_equal(tensors[name], tensor.detach().numpy(), strict=True)


@pytest.mark.parametrize("size", SIZES)
def test_resize(theirs, torch_fidelity, size):
    from torch_fidelity.interpolate_compat_tensorflow import (
        interpolate_bilinear_2d_like_tensorflow1x as their_resize,
    )

    images = pictures(2, size)
    want = theirs(lambda x: [their_resize(x.float(), (299, 299), align_corners=False)], images)[
        0
    ].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(inception.resize(images), want, rtol=0, atol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_features_and_logits(theirs, inception_pair, size):
    extractor, variables = inception_pair
    images = pictures(3, size)
    want = theirs(extractor, images)
    features = jax.jit(inception.features)(variables, images)
    got = features, inception.logits(variables, features)
    # the pictures differ by more than what is tolerated
    assert want[0].std(0).mean() > 0.01 * want[0].max()
    for ours, reference in zip(got, want, strict=True):
        agree(ours, reference, 1e-4)


def test_grey_pictures_become_three_channels(theirs, inception_pair):
    extractor, variables = inception_pair
    images = pictures(2, (28, 28), channels=1)
    want, _ = theirs(extractor, images.repeat(3, axis=3))
    agree(jax.jit(inception.features)(variables, images), want, 1e-4)


@pytest.mark.parametrize("n", [40, 57])
def test_inception_score(torch, torch_fidelity, n):
    from torch_fidelity.metric_isc import isc_features_to_metric

    logits = np.random.default_rng(0).normal(0, 3, (n, 1008)).astype(np.float32)
    want = isc_features_to_metric(torch.from_numpy(logits), splits=10, shuffle=False)
    got = inception_score(logits)
    np.testing.assert_allclose(
        got, (want["inception_score_mean"], want["inception_score_std"]), rtol=1e-6
    )
