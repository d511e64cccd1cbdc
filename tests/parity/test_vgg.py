"""VGG's convolutions, PyTorch's weight file of VGG-19, and HED, beside PyTorch."""

import io

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flaxgan.pretrained import hed, vgg
from flaxgan.pretrained.weights import read_tensors
from flaxgan.system.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 37, 50, 3)).astype(np.float32)


def features_of(torch, depths, ceil):
    """PyTorch's `features` of a VGG network, as torchvision numbers them."""
    layers, channels = [], 3
    for depth, width in zip(depths, vgg.WIDTHS, strict=True):
        for _ in range(depth):
            layers += [torch.nn.Conv2d(channels, width, 3, padding=1), torch.nn.ReLU()]
            channels = width
        layers.append(torch.nn.MaxPool2d(2, ceil_mode=ceil))
    return torch.nn.Sequential(*layers)


def maps_of(torch, features, x):
    """Its maps at the end of each block, of x (N, C, H, W)."""
    maps = []
    for layer in features:
        if isinstance(layer, torch.nn.MaxPool2d):
            maps.append(x)
        x = layer(x)
    return maps


def hed_of(torch, variables):
    """PyTorch's VGG-16 with HED's weights, of RGB in 0..255."""
    features = features_of(torch, vgg.VGG16, ceil=True)
    convs = [layer for layer in features if isinstance(layer, torch.nn.Conv2d)]
    for conv, layer in zip(convs, variables["blocks"]["params"].values(), strict=True):
        conv.weight.data = torch.from_numpy(layer["kernel"].transpose(3, 2, 0, 1).copy())
        conv.bias.data = torch.from_numpy(layer["bias"])

    class Centred(torch.nn.Module):
        def forward(self, x):
            return (x - torch.tensor(hed.MEAN)[None, :, None, None]).flip(1)

    return torch.nn.Sequential(Centred(), *features)


def tensor(torch, images):
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2), np.float32))


def test_vgg19_is_that_of_its_published_file(torch):
    torch.manual_seed(0)
    features = features_of(torch, vgg.VGG19, ceil=False)
    file = io.BytesIO()
    torch.save({f"features.{name}": x for name, x in features.state_dict().items()}, file)
    variables = vgg.convert(read_tensors(file.getvalue()))
    with torch.no_grad():
        want = maps_of(torch, features, tensor(torch, (IMAGES / 255 - vgg.MEAN) / vgg.STD))
    got = vgg.maps(variables, jnp.asarray(IMAGES))
    assert len(got) == 4
    for a, b in zip(got, want, strict=False):
        b = b.numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max())


def test_edges_of_hed_are_those_of_pytorch(torch):
    try:
        variables = hed.load()
    except UserError as error:
        pytest.skip(str(error))
    with torch.no_grad():
        maps = maps_of(torch, hed_of(torch, variables), tensor(torch, IMAGES))
    sides = []
    for side, x in zip(variables["sides"], maps, strict=True):
        kernel = torch.from_numpy(side["kernel"].transpose(3, 2, 0, 1).copy())
        x = torch.nn.functional.conv2d(x, kernel, torch.from_numpy(side["bias"]))
        how = {"size": IMAGES.shape[1:3], "mode": "bilinear", "align_corners": False}
        sides.append(torch.nn.functional.interpolate(x, **how))
    kernel = torch.from_numpy(variables["fuse"]["kernel"].transpose(3, 2, 0, 1).copy())
    bias = torch.from_numpy(variables["fuse"]["bias"])
    fused = torch.nn.functional.conv2d(torch.cat(sides, 1), kernel, bias)
    want = torch.sigmoid(fused).numpy().transpose(0, 2, 3, 1)
    got = jax.jit(hed.edges)(variables, jnp.asarray(IMAGES))
    assert want.std() > 0.05, "there are edges"
    np.testing.assert_allclose(got, want, atol=1e-4)
