"""PyTorch's extractors beside ours, with the same random weights: the published ones can't be had
everywhere.
"""

import importlib.util
import sys
import types

import numpy as np
import pytest

from flaxgan.pretrained import inception
from flaxgan.pretrained.weights import read_tensors


def pictures(n, size, channels=3, seed=0):
    """uint8 (n, *size, channels): waves and a little noise, no two alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: size[0], : size[1]].reshape(2, *size, 1) / max(size)
    ky, kx, phase, light, contrast = rng.uniform(
        0, (30, 30, 6, 200, 90), (n, 1, 1, channels, 5)
    ).transpose(4, 0, 1, 2, 3)
    waves = 30 + light + contrast * np.sin(ky * y + kx * x + phase)
    return np.clip(waves + rng.normal(0, 10, waves.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module", autouse=True)
def _own_convolutions(own_convolutions):
    """What users run is compared."""


class _StandIn(types.ModuleType):
    """A module in which every name is an empty class."""

    __path__ = ()

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@pytest.fixture(scope="session")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="session")
def torch_fidelity(torch):
    """The package, imported without torchvision, which its extractors and scores don't use."""
    stand_ins = {}
    if importlib.util.find_spec("torchvision") is None:
        for name in (
            "torchvision",
            "torchvision.datasets",
            "torchvision.transforms",
            "torchvision.transforms.functional",
        ):
            stand_ins[name] = _StandIn(name)
            parent, _, child = name.rpartition(".")
            if parent:
                setattr(stand_ins[parent], child, stand_ins[name])
    with pytest.MonkeyPatch.context() as patch:  # others look whether there is a torchvision
        for name, module in stand_ins.items():
            patch.setitem(sys.modules, name, module)
        return pytest.importorskip("torch_fidelity")


def _random_inception(torch, torch_fidelity, path):
    """torch-fidelity's network with weights that keep the size and the variety of its activations;
    its state_dict in `path`.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "load", lambda path, **_: None)
        patch.setattr(
            torch_fidelity.FeatureExtractorInceptionV3,
            "load_state_dict",
            lambda self, state_dict: None,
        )
        network = torch_fidelity.FeatureExtractorInceptionV3("inception", ["2048"], "none")
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0  # the running statistics become those of the pictures below
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0.5, 0.5)
    with torch.inference_mode():
        network.train()(torch.from_numpy(pictures(8, (150, 150)).transpose(0, 3, 1, 2).copy()))
    torch.save(network.state_dict(), path)


@pytest.fixture(scope="session")
def inception_pair(torch, torch_fidelity, tmp_path_factory):
    """(torch-fidelity's extractor, our variables) with the same random weights.

    The extractor takes uint8 tensors (N, 3, H, W) and gives (features (N, 2048), unbiased logits
    (N, 1008)).
    """
    path = tmp_path_factory.mktemp("inception") / "random.pth"
    _random_inception(torch, torch_fidelity, path)
    extractor = torch_fidelity.FeatureExtractorInceptionV3(
        "inception", ["2048", "logits_unbiased"], str(path)
    )
    return extractor, inception.convert(read_tensors(path.read_bytes()))


@pytest.fixture(scope="session")
def theirs(torch):
    """Call a PyTorch function of pictures (N, C, H, W) with numpy's (N, H, W, C) -> numpy
    arrays.
    """

    def call(function, images):
        with torch.inference_mode():
            outputs = function(torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))))
        return [output.numpy() for output in outputs]

    return call
