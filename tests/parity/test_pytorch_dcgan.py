"""The same networks, losses and Adam in PyTorch, from the same weights (extra `bench`)."""

import numpy as np
import pytest

from flaxgan.config import Config

pytest.importorskip("torch")


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
@pytest.mark.parametrize("architecture", ["dcgan", "dense", "resnet"])
@pytest.mark.parametrize(("size", "channels"), [((16, 16), 3), ((28, 28), 1)])
def test_losses_of_the_first_steps_agree(size, channels, architecture):
    from benchmarks.vs_pytorch import first_losses

    config = Config.make(
        image_size=size,
        channels=channels,
        features=8,
        batch_size=8,
        flip=False,
        architecture=architecture,
    )
    images = np.random.default_rng(0).integers(0, 256, (8, *size, channels), np.uint8)
    ours, theirs = first_losses(config, images, steps=3)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
