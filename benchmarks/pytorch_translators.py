"""The networks that translate in PyTorch, as flaxgan's, with the same weights."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def conv(layer: nn.Module, params: Any) -> nn.Module:
    """Copy a kernel (H, W, I, O) and bias to a layer; a transposed one's is turned."""
    kernel = np.asarray(params["kernel"])
    if isinstance(layer, nn.ConvTranspose2d):
        weight = kernel[::-1, ::-1].transpose(2, 3, 0, 1)
    else:
        weight = kernel.transpose(3, 2, 0, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight.copy()))
        layer.bias.copy_(torch.tensor(np.asarray(params["bias"])))
    return layer


def _norm(x: torch.Tensor) -> torch.Tensor:
    return F.instance_norm(x, eps=1e-5)


def _halved(x: torch.Tensor) -> torch.Tensor:
    line = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype)
    kernel = (line[:, None] * line / 16).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (1, 0, 1, 0), mode="reflect"), kernel, stride=2, groups=x.shape[1])


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


class Resnet(nn.Module):
    def __init__(
        self, params: Any, channels: tuple[int, int], features: int, blocks: int, antialias: bool
    ):
        super().__init__()
        f, (taken, made), self.antialias = features, channels, antialias
        stride = 1 if antialias else 2
        numbered = (params[f"Conv_{i}"] for i in range(6))
        self.stem = conv(nn.Conv2d(taken, f, 7), next(numbered))
        self.down = nn.ModuleList(
            conv(nn.Conv2d(f * k, 2 * f * k, 3, stride, 1), next(numbered)) for k in (1, 2)
        )
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                conv(nn.Conv2d(4 * f, 4 * f, 3), params[f"ResidualBlock_{b}"][f"Conv_{i}"])
                for i in (0, 1)
            )
            for b in range(blocks)
        )
        self.up = nn.ModuleList(
            conv(
                nn.Conv2d(2 * f * k, f * k, 3, 1, 1)
                if antialias
                else nn.ConvTranspose2d(2 * f * k, f * k, 3, 2, 1, output_padding=1),
                next(numbered),
            )
            for k in (2, 1)
        )
        self.last = conv(nn.Conv2d(f, made, 7), next(numbered))

    def forward(self, x: torch.Tensor, encode: bool = False, both: bool = False) -> Any:
        """Return the result, or with `encode` the maps of PatchNCE instead, or `both`."""
        maps = [x]
        x = self.stem(F.pad(x, (3, 3, 3, 3), mode="reflect"))
        for stage, layer in enumerate(self.down):
            x = F.relu(_norm(x))
            x = layer(_halved(x) if self.antialias and stage else x)
            maps.append(x)
        x = F.relu(_norm(x))
        x = _halved(x) if self.antialias else x
        for number, (first, second) in enumerate(self.blocks):
            y = F.relu(_norm(first(F.pad(x, (1, 1, 1, 1), mode="reflect"))))
            x = x + _norm(second(F.pad(y, (1, 1, 1, 1), mode="reflect")))
            if number in (0, len(self.blocks) // 2):
                maps.append(x)
        if encode:
            return maps
        for layer in self.up:
            x = F.relu(_norm(layer(_doubled(x) if self.antialias else x)))
        x = torch.tanh(self.last(F.pad(x, (3, 3, 3, 3), mode="reflect")))
        return (x, maps) if both else x


class UNet(nn.Module):
    def __init__(self, params: Any, channels: tuple[int, int], features: int, depth: int):
        super().__init__()
        widths = [features * min(2**stage, 8) for stage in range(depth)]
        numbered = (params[f"Conv_{i}"] for i in range(2 * depth))
        before = channels[0]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for width in widths:
            self.down.append(conv(nn.Conv2d(before, width, 4, 2, 1), next(numbered)))
            before = width
        for stage in reversed(range(depth)):
            width = widths[stage - 1] if stage else channels[1]
            self.up.append(conv(nn.ConvTranspose2d(before, width, 4, 2, 1), next(numbered)))
            before = 2 * width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps: list[torch.Tensor] = []
        for stage, layer in enumerate(self.down):
            x = layer(F.leaky_relu(x, 0.2) if stage else x)
            x = _norm(x) if 0 < stage < len(self.down) - 1 else x
            maps.append(x)
        x = maps.pop()
        for layer in self.up[:-1]:
            x = torch.cat([maps.pop(), _norm(layer(F.relu(x)))], 1)
        return torch.tanh(self.up[-1](F.relu(x)))


class SRResNet(nn.Module):
    def __init__(self, params: Any, channels: int, features: int, blocks: int, scale: int):
        super().__init__()
        steps = [3] if scale == 3 else [2] * (scale.bit_length() - 1)
        numbered = (params[f"Conv_{i}"] for i in range(2 * blocks + len(steps) + 3))
        f, self.scale, self.steps = features, scale, steps
        self.first = conv(nn.Conv2d(channels, f, 3, 1, 1), next(numbered))
        self.blocks = nn.ModuleList(
            # the second convolution is made after the first: as Linen numbers them
            nn.ModuleList(conv(nn.Conv2d(f, f, 3, 1, 1), next(numbered)) for _ in range(2))
            for _ in range(blocks)
        )
        self.up = nn.ModuleList(
            conv(nn.Conv2d(f, s * s * f, 3, 1, 1), next(numbered)) for s in steps
        )
        self.high = conv(nn.Conv2d(f, f, 3, 1, 1), next(numbered))
        self.last = conv(nn.Conv2d(f, channels, 3, 1, 1), next(numbered))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.leaky_relu(self.first(x), 0.1)
        for first, second in self.blocks:
            y = y + second(F.relu(first(y)))
        for step, layer in zip(self.steps, self.up, strict=True):
            y = F.leaky_relu(F.pixel_shuffle(layer(y), step), 0.1)
        base = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return self.last(F.leaky_relu(self.high(y), 0.1)) + base


class Projector(nn.Module):
    def __init__(self, params: Any):
        super().__init__()
        self.layers = nn.ModuleList()
        for number in range(len(params) // 2):
            pair = [params[f"layer_{number}_{i}"] for i in (0, 1)]
            self.layers.append(nn.Sequential(_dense(pair[0]), nn.ReLU(), _dense(pair[1])))

    def forward(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        return [F.normalize(net(x), dim=-1) for net, x in zip(self.layers, maps, strict=True)]


def _dense(params: Any) -> nn.Module:
    kernel = torch.tensor(np.asarray(params["kernel"]).T.copy())
    layer = nn.Linear(kernel.shape[1], kernel.shape[0])
    with torch.no_grad():
        layer.weight.copy_(kernel)
        layer.bias.copy_(torch.tensor(np.asarray(params["bias"])))
    return layer


class Patch(nn.Module):
    def __init__(self, params: Any, channels: int, features: int, halvings: int):
        super().__init__()
        self.layers, before = nn.ModuleList(), channels
        for stage in range(halvings + 2):
            width = 1 if stage == halvings + 1 else features * min(2**stage, 8)
            stride = 2 if stage < halvings else 1
            layer = nn.Conv2d(before, width, 4, stride, 1)
            self.layers.append(conv(layer, params[f"Conv_{stage}"]))
            before = width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for stage, layer in enumerate(self.layers[:-1]):
            x = layer(x)
            x = F.leaky_relu(_norm(x) if stage else x, 0.2)
        return self.layers[-1](x)[:, 0]


def network(module: Any, params: Any, channels: tuple[int, int]) -> nn.Module:
    """Return PyTorch's network for a Linen module of flaxgan's."""
    kind = type(module).__module__.rpartition(".")[2]
    if kind == "nce":
        return Projector(params)
    f = module.features
    if kind == "resnet_generator":
        return Resnet(params, channels, f, module.blocks, module.antialias)
    if kind == "unet":
        return UNet(params, channels, f, module.depth)
    if kind == "srresnet":
        return SRResNet(params, channels[0], f, module.blocks, module.scale)
    return Patch(params, channels[0], f, {16: 1, 34: 2, 70: 3}[module.patch])
