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


@pytest.mark.filterwarnings("ignore:The given NumPy array is not writable")
@pytest.mark.parametrize("r1", [0.0, 1.0])
@pytest.mark.parametrize(("size", "channels"), [((16, 16), 3), ((28, 28), 1)])
def test_losses_of_a_style_step_agree_with_r1_too(size, channels, r1):
    """Of the first step: later ones have noise, which each draws for itself."""
    from benchmarks.vs_pytorch import first_losses

    config = Config.make(
        image_size=size,
        channels=channels,
        features=8,
        batch_size=8,
        flip=False,
        architecture="style",
        style_mixing=0.0,
        r1=r1,
    )
    images = np.random.default_rng(0).integers(0, 256, (8, *size, channels), np.uint8)
    ours, theirs = first_losses(config, images)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
