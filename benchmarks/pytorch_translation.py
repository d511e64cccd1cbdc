"""The training steps of the methods that translate in PyTorch, from the weights of flaxgan's."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.pytorch_translators import network
from flaxgan.config import Config

NETWORKS = ("generator", "generator_back", "discriminator", "discriminator_back")


class TorchTrainer:
    """A training step of PyTorch's, from the weights of a state of flaxgan's."""

    def __init__(self, config: Config, state: Any, channels_last: bool, compile: str | None = None):
        self.config = config
        self.format = torch.channels_last if channels_last else torch.contiguous_format
        self.nets: dict[str, nn.Module] = {}
        self.optimisers: dict[str, torch.optim.Optimizer] = {}
        source = 1 if getattr(config.options, "source", None) in ("edges", "grey") else 3
        for name in (*NETWORKS, "projector"):
            ours = getattr(state, name, None)
            if ours is None:
                continue
            channels = (source, 3) if "generator" in name else (3, 1)
            if name == "discriminator" and config.method == "pix2pix":
                channels = (source + 3, 1)
            net = network(ours.module, ours.params, channels)
            net = net if name == "projector" else net.to(memory_format=self.format)
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
            "cut": self._cut,
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

    def _cut(self, source: torch.Tensor, image: torch.Tensor) -> dict[str, torch.Tensor]:
        generator, options = self.nets["generator"], self.config.options
        self._freeze(True)
        made, wanted = generator(torch.cat([source, image]), both=True)
        found = generator(made, encode=True)
        fake, n = made[: len(source)], len(source)
        losses = {
            "g_loss": self._adversarial("discriminator", fake),
            "nce_loss": self._nce([x[:n] for x in found], [x[:n] for x in wanted]),
            "identity_nce_loss": self._nce([x[n:] for x in found], [x[n:] for x in wanted]),
        }
        nce = 0.5 * (losses["nce_loss"] + losses["identity_nce_loss"])
        self._update(["generator", "projector"], losses["g_loss"] + options.nce * nce)
        self._freeze(False)
        losses["d_loss"] = self._judged("discriminator", image, fake)
        return losses

    def _nce(self, found: list[torch.Tensor], wanted: list[torch.Tensor]) -> torch.Tensor:
        rows = []
        for x in wanted:
            places = torch.randperm(x.shape[2] * x.shape[3])[: self.config.options.patches]
            rows.append(places)
        queries, keys = (
            self.nets["projector"](
                [x.flatten(2)[:, :, r].transpose(1, 2) for x, r in zip(maps, rows, strict=True)]
            )
            for maps in (found, wanted)
        )
        losses = []
        for query, key in zip(queries, keys, strict=True):
            scores = query @ key.detach().transpose(1, 2) / self.config.options.temperature
            own = torch.arange(scores.shape[1]).expand(len(scores), -1)
            losses.append(F.cross_entropy(scores.flatten(0, 1), own.flatten()))
        return torch.stack(losses).mean()

    def _srgan(self, source: torch.Tensor, image: torch.Tensor) -> dict[str, torch.Tensor]:
        """Do a step of the first phase, from pixels."""
        loss = F.l1_loss(self.nets["generator"](source), image)
        self._update(["generator"], loss)
        return {"l1_loss": loss}
