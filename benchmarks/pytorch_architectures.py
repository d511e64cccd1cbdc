"""The architectures dense and resnet in PyTorch, as flaxgan.models has them."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.pytorch_translators import conv
from flaxgan.config import Config
from flaxgan.models.sizes import base_size, stage_widths


def _same(params: Any) -> nn.Module:
    """Return a convolution that keeps the size, with a kernel (S, S, I, O) and a bias."""
    size, _, taken, made = params["kernel"].shape
    return conv(nn.Conv2d(taken, made, size, 1, size // 2), params)


def _numbered(params: Any, name: str) -> list[Any]:
    """Return the parameters of the layers of a kind, in the order in which they are made."""
    found = [key for key in params if key.rpartition("_")[0] == name]
    return [params[key] for key in sorted(found, key=lambda key: int(key.rpartition("_")[2]))]


class _Linear(nn.Module):
    """A matrix without bias, of rows whose values are in the order (height, width, channels)."""

    def __init__(self, params: Any):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(np.asarray(params["kernel"])))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight


def _rows(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1).flatten(1)


def _map(x: torch.Tensor, base: tuple[int, int]) -> torch.Tensor:
    return x.view(len(x), *base, -1).permute(0, 3, 1, 2)


def _norm(params: Any) -> nn.Module:
    norm = nn.BatchNorm2d(len(params["scale"]))
    with torch.no_grad():
        norm.weight.copy_(torch.tensor(np.asarray(params["scale"])))
        norm.bias.copy_(torch.tensor(np.asarray(params["bias"])))
    return norm


class DenseGenerator(nn.Module):
    def __init__(self, config: Config, params: Any):
        super().__init__()
        self.base = base_size(config.image_size)
        self.dense = _Linear(params["Dense_0"])
        convolutions = map(_same, _numbered(params, "Conv"))
        self.convolutions = nn.ModuleList(convolutions)
        self.stages = len(stage_widths(config.image_size, config.options.features))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(_map(self.dense(z), self.base), 0.2)
        for number, layer in enumerate(self.convolutions[:-1]):
            x = F.interpolate(x, scale_factor=2) if number < self.stages else x
            x = F.leaky_relu(layer(x), 0.2)
        return torch.tanh(self.convolutions[-1](x))


class DenseDiscriminator(nn.Module):
    def __init__(self, config: Config, params: Any):
        super().__init__()
        self.convolutions = nn.ModuleList(map(_same, _numbered(params, "Conv")))
        self.norms = nn.ModuleList(map(_norm, _numbered(params, "BatchNorm")))
        self.dense = _Linear(params["Dense_0"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for number, layer in enumerate(self.convolutions):
            x = F.avg_pool2d(layer(x), 2)
            x = F.leaky_relu(self.norms[number - 1](x) if number else x, 0.2)
        return self.dense(_rows(x))[:, 0]


class Block(nn.Module):
    def __init__(self, params: Any, resampling: str | None = None):
        super().__init__()
        self.first, self.last, *shortcut = map(_same, _numbered(params, "Conv"))
        self.shortcut = shortcut[0] if shortcut else nn.Identity()
        self.resampling = resampling

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.leaky_relu(x, 0.2)
        y = F.interpolate(y, scale_factor=2) if self.resampling == "up" else y
        y = self.last(F.leaky_relu(self.first(y), 0.2))
        if self.resampling == "down":
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        x = self.shortcut(x)
        return (F.interpolate(x, scale_factor=2) if self.resampling == "up" else x) + y


class ResNetGenerator(nn.Module):
    def __init__(self, config: Config, params: Any):
        super().__init__()
        self.base = base_size(config.image_size)
        self.dense = _Linear(params["Dense_0"])
        first, *others = _numbered(params, "Block")
        self.blocks = nn.Sequential(Block(first), *(Block(block, "up") for block in others))
        self.last = _same(params["Conv_0"])

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = self.blocks(_map(self.dense(z), self.base))
        return torch.tanh(self.last(F.leaky_relu(x, 0.2)))


class ResNetDiscriminator(nn.Module):
    def __init__(self, config: Config, params: Any):
        super().__init__()
        *halving, last = _numbered(params, "Block")
        self.first = _same(params["Conv_0"])
        self.blocks = nn.Sequential(*(Block(block, "down") for block in halving), Block(last))
        self.dense = _Linear(params["Dense_0"])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.leaky_relu(self.blocks(self.first(x)), 0.2)
        return self.dense(_rows(x))[:, 0]


NETWORKS = {
    "dense": (DenseGenerator, DenseDiscriminator),
    "resnet": (ResNetGenerator, ResNetDiscriminator),
}
