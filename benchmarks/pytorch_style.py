"""The architecture style in PyTorch, as flaxgan.models.style has it, without classes and mixing."""

import math
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from flaxgan.config import Config
from flaxgan.models.style_layers import GAIN, MAPPING_RATE, SLOPE, TINY


def _tensor(array: Any, *axes: int) -> nn.Parameter:
    return nn.Parameter(torch.tensor(np.asarray(array).transpose(axes).copy()))


def _activated(x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(x, SLOPE) * GAIN


def _numbered(params: Any, name: str) -> list[Any]:
    """Return the parameters of the layers of a kind, in the order of their numbers."""
    found = [key for key in params if key.rpartition("_")[0] == name]
    return [params[key] for key in sorted(found, key=lambda key: int(key.rpartition("_")[2]))]


class _Dense(nn.Module):
    def __init__(self, params: Any, rate: float = 1.0):
        super().__init__()
        self.weight, self.bias = _tensor(params["kernel"], 1, 0), _tensor(params["bias"], 0)
        self.rate, self.scale = rate, rate / math.sqrt(self.weight.shape[1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class _Conv(nn.Module):
    def __init__(self, params: Any):
        super().__init__()
        self.weight, self.bias = _tensor(params["kernel"], 3, 2, 0, 1), _tensor(params["bias"], 0)
        self.padding = self.weight.shape[2] // 2
        self.scale = 1 / math.sqrt(self.weight[0].numel())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class _Modulated(_Conv):
    """Scales inputs and outputs, too: a kernel for each picture is slower on a CPU."""

    def __init__(self, params: Any):
        super().__init__(params)
        self.affine = _Dense(params["affine"])
        noise = params.get("noise_strength")
        self.strength = None if noise is None else _tensor(noise)

    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        styles, kernel = self.affine(w), self.weight * self.scale
        y = F.conv2d(x * styles[:, :, None, None], kernel, padding=self.padding)
        if self.strength is not None:
            squares = kernel.square().sum((2, 3)).t()
            y = y * torch.rsqrt(styles.square() @ squares + TINY)[:, :, None, None]
            y = y + self.strength * torch.randn(len(y), 1, *y.shape[2:], device=y.device)
        return y + self.bias[:, None, None]


class StyleGenerator(nn.Module):
    def __init__(self, config: Config, params: Any):
        super().__init__()
        mapping, synthesis = params["mapping_network"], params["synthesis_network"]
        layers = _numbered(mapping, "EqualisedDense")
        self.mapping = nn.ModuleList(_Dense(layer, MAPPING_RATE) for layer in layers)
        self.constant = _tensor(synthesis["constant"], 0, 3, 1, 2)
        self.convolutions = nn.ModuleList(map(_Modulated, _numbered(synthesis, "conv")))
        self.colours = nn.ModuleList(map(_Modulated, _numbered(synthesis, "colours")))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        w = z * torch.rsqrt(z.square().mean(1, keepdim=True) + TINY)
        for layer in self.mapping:
            w = _activated(layer(w))
        first, *others = self.convolutions
        x = _activated(first(self.constant, w))
        images = self.colours[0](x, w)
        for up, same, colours in zip(others[::2], others[1::2], self.colours[1:], strict=True):
            x = _activated(up(F.interpolate(x, scale_factor=2), w))
            x = _activated(same(x, w))
            images = F.interpolate(images, scale_factor=2, mode="bilinear") + colours(x, w)
        return torch.tanh(images)


class _Residual(nn.Module):
    def __init__(self, params: Any):
        super().__init__()
        self.first, self.last, self.shortcut = map(_Conv, _numbered(params, "EqualisedConv"))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = _activated(F.avg_pool2d(self.last(_activated(self.first(x))), 2))
        return (y + self.shortcut(F.avg_pool2d(x, 2))) / math.sqrt(2)


class StyleDiscriminator(nn.Module):
    def __init__(self, config: Config, params: Any):
        super().__init__()
        self.first, self.last = map(_Conv, _numbered(params, "EqualisedConv"))
        self.blocks = nn.Sequential(*map(_Residual, _numbered(params, "ResidualBlock")))
        self.dense = _Dense(params["EqualisedDense_0"])
        self.logits = _tensor(params["Dense_0"]["kernel"], 1, 0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(_activated(self.first(x)))
        deviation = torch.sqrt(x.var(0, unbiased=False) + TINY).mean()
        x = torch.cat([x, deviation.expand(len(x), 1, *x.shape[2:])], 1)
        x = _activated(self.last(x)).permute(0, 2, 3, 1).flatten(1)
        x = _activated(self.dense(x))
        return F.linear(x / math.sqrt(x.shape[1]), self.logits)[:, 0]
