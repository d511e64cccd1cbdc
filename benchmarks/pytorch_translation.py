"""The methods that translate in PyTorch: networks and training steps as flaxgan's, from the same
weights.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from flaxgan.config import Config


def _conv(layer: nn.Module, params: Any) -> nn.Module:
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


class Resnet(nn.Module):
    def __init__(self, params: Any, channels: tuple[int, int], features: int, blocks: int):
        super().__init__()
        f, (taken, made) = features, channels
        numbered = (params[f"Conv_{i}"] for i in range(6))
        self.stem = _conv(nn.Conv2d(taken, f, 7), next(numbered))
        self.down = nn.ModuleList(
            _conv(nn.Conv2d(f * k, 2 * f * k, 3, 2, 1), next(numbered)) for k in (1, 2)
        )
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                _conv(nn.Conv2d(4 * f, 4 * f, 3), params[f"ResidualBlock_{b}"][f"Conv_{i}"])
                for i in (0, 1)
            )
            for b in range(blocks)
        )
        self.up = nn.ModuleList(
            _conv(nn.ConvTranspose2d(2 * f * k, f * k, 3, 2, 1, output_padding=1), next(numbered))
            for k in (2, 1)
        )
        self.last = _conv(nn.Conv2d(f, made, 7), next(numbered))

    def forward(self, x: torch.Tensor, encode: bool = False) -> Any:
        maps = [x]
        x = self.stem(F.pad(x, (3, 3, 3, 3), mode="reflect"))
        for layer in self.down:
            x = layer(F.relu(_norm(x)))
            maps.append(x)
        x = F.relu(_norm(x))
        for number, (first, second) in enumerate(self.blocks):
            y = F.relu(_norm(first(F.pad(x, (1, 1, 1, 1), mode="reflect"))))
            x = x + _norm(second(F.pad(y, (1, 1, 1, 1), mode="reflect")))
            if number in (0, len(self.blocks) // 2):
                maps.append(x)
        if encode:
            return maps
        for layer in self.up:
            x = F.relu(_norm(layer(x)))
        return torch.tanh(self.last(F.pad(x, (3, 3, 3, 3), mode="reflect")))


class UNet(nn.Module):
    def __init__(self, params: Any, channels: tuple[int, int], features: int, depth: int):
        super().__init__()
        widths = [features * min(2**stage, 8) for stage in range(depth)]
        numbered = (params[f"Conv_{i}"] for i in range(2 * depth))
        before = channels[0]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        for width in widths:
            self.down.append(_conv(nn.Conv2d(before, width, 4, 2, 1), next(numbered)))
            before = width
        for stage in reversed(range(depth)):
            width = widths[stage - 1] if stage else channels[1]
            self.up.append(_conv(nn.ConvTranspose2d(before, width, 4, 2, 1), next(numbered)))
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
        self.first = _conv(nn.Conv2d(channels, f, 3, 1, 1), next(numbered))
        self.blocks = nn.ModuleList(
            # the second convolution is made after the first: as Linen numbers them
            nn.ModuleList(_conv(nn.Conv2d(f, f, 3, 1, 1), next(numbered)) for _ in range(2))
            for _ in range(blocks)
        )
        self.up = nn.ModuleList(
            _conv(nn.Conv2d(f, s * s * f, 3, 1, 1), next(numbered)) for s in steps
        )
        self.high = _conv(nn.Conv2d(f, f, 3, 1, 1), next(numbered))
        self.last = _conv(nn.Conv2d(f, channels, 3, 1, 1), next(numbered))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.leaky_relu(self.first(x), 0.1)
        for first, second in self.blocks:
            y = y + second(F.relu(first(y)))
        for step, layer in zip(self.steps, self.up, strict=True):
            y = F.leaky_relu(F.pixel_shuffle(layer(y), step), 0.1)
        base = F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return self.last(F.leaky_relu(self.high(y), 0.1)) + base


class Patch(nn.Module):
    def __init__(self, params: Any, channels: int, features: int, halvings: int):
        super().__init__()
        self.layers, before = nn.ModuleList(), channels
        for stage in range(halvings + 2):
            width = 1 if stage == halvings + 1 else features * min(2**stage, 8)
            stride = 2 if stage < halvings else 1
            layer = nn.Conv2d(before, width, 4, stride, 1)
            self.layers.append(_conv(layer, params[f"Conv_{stage}"]))
            before = width

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for stage, layer in enumerate(self.layers[:-1]):
            x = layer(x)
            x = F.leaky_relu(_norm(x) if stage else x, 0.2)
        return self.layers[-1](x)[:, 0]


def network(module: Any, params: Any, channels: tuple[int, int]) -> nn.Module:
    """Return PyTorch's network for a Linen module of flaxgan's."""
    kind, f = type(module).__module__.rpartition(".")[2], module.features
    if kind == "resnet_generator":
        return Resnet(params, channels, f, module.blocks)
    if kind == "unet":
        return UNet(params, channels, f, module.depth)
    if kind == "srresnet":
        return SRResNet(params, channels[0], f, module.blocks, module.scale)
    return Patch(params, channels[0], f, {16: 1, 34: 2, 70: 3}[module.patch])


class TorchTrainer:
    """A training step of PyTorch's, from the weights of a state of flaxgan's."""

    def __init__(self, config: Config, state: Any, channels_last: bool, compile: str | None = None):
        self.config = config
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.nets: dict[str, nn.Module] = {}
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        source = 1 if getattr(config.options, "source", None) in ("edges", "grey") else 3
        for name in ("generator", "generator_back", "discriminator", "discriminator_back"):
            ours = getattr(state, name, None)
            if ours is None:
                continue
            channels = (source, 3) if "generator" in name else (3, 1)
            if name == "discriminator" and config.method == "pix2pix":
                channels = (source + 3, 1)
            net = network(ours.module, ours.params, channels).to(memory_format=self.format)
            self.optimisers[name] = torch.optim.Adam(
                net.parameters(), config.learning_rate, (config.beta1, config.beta2), fused=True
            )
            self.nets[name] = torch.compile(net, mode=compile) if compile else net

    def put(self, images: np.ndarray) -> torch.Tensor:
        """Convert uint8 (N, H, W, C) to [-1, 1] (N, C, H, W)."""
        x = torch.tensor(images).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        return x.contiguous(memory_format=self.format)

    def _judged(self, name: str, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        """Update a discriminator; return its loss."""
        logits = self.nets[name](torch.cat([real, fake.detach()]))
        real_logits, fake_logits = logits.chunk(2)
        if self.config.options.loss == "bce":
            loss = 0.5 * (F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean())
        else:
            loss = 0.5 * ((real_logits - 1).square().mean() + fake_logits.square().mean())
        self._update([name], loss)
        return loss

    def _adversarial(self, name: str, fake: torch.Tensor) -> torch.Tensor:
        logits = self.nets[name](fake)
        if self.config.options.loss == "bce":
            return F.softplus(-logits).mean()
        return (logits - 1).square().mean()

    def _update(self, names: list[str], loss: torch.Tensor) -> None:
        for name in names:
            self.optimisers[name].zero_grad(set_to_none=True)
        loss.backward()
        for name in names:
            self.optimisers[name].step()

    def _freeze(self, frozen: bool) -> None:
        for name, net in self.nets.items():
            if name.startswith("discriminator"):
                net.requires_grad_(not frozen)

    def step(self, source: torch.Tensor, image: torch.Tensor) -> dict[str, float]:
        """Do a step of the method; return its losses by the names that flaxgan gives them."""
        steps: dict[str, Callable[..., dict[str, torch.Tensor]]] = {
            "pix2pix": self._pix2pix,
            "cyclegan": self._cyclegan,
            "srgan": self._srgan,
        }
        losses = steps[self.config.method](source, image)
        return {name: float(loss) for name, loss in losses.items()}

    def _pix2pix(self, source: torch.Tensor, image: torch.Tensor) -> dict[str, torch.Tensor]:
        fake = self.nets["generator"](source)
        d_loss = self._judged(
            "discriminator", torch.cat([source, image], 1), torch.cat([source, fake], 1)
        )
        self._freeze(True)
        g_loss = self._adversarial("discriminator", torch.cat([source, fake], 1))
        l1 = F.l1_loss(fake, image)
        self._update(["generator"], g_loss + self.config.options.l1 * l1)
        self._freeze(False)
        return {"d_loss": d_loss, "g_loss": g_loss, "l1_loss": l1}

    def _cyclegan(self, source: torch.Tensor, image: torch.Tensor) -> dict[str, torch.Tensor]:
        options, there, back = (
            self.config.options,
            *(self.nets[name] for name in ("generator", "generator_back")),
        )
        self._freeze(True)
        fake, same = there(torch.cat([source, image])).chunk(2)
        fake_back, same_back = back(torch.cat([image, source])).chunk(2)
        losses = {
            "g_loss": self._adversarial("discriminator", fake),
            "g_back_loss": self._adversarial("discriminator_back", fake_back),
            "cycle_loss": F.l1_loss(back(fake), source) + F.l1_loss(there(fake_back), image),
            "identity_loss": F.l1_loss(same, image) + F.l1_loss(same_back, source),
        }
        weights = (1, 1, options.cycle, options.identity)
        total = sum(w * loss for w, loss in zip(weights, losses.values(), strict=True))
        self._update(["generator", "generator_back"], total)
        self._freeze(False)
        losses["d_loss"] = self._judged("discriminator", image, fake)
        losses["d_back_loss"] = self._judged("discriminator_back", source, fake_back)
        return losses

    def _srgan(self, source: torch.Tensor, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Do a step of the first phase, from pixels."""
        loss = F.l1_loss(self.nets["generator"](source), image)
        self._update(["generator"], loss)
        return {"l1_loss": loss}
