"""The DCGAN and its training step in PyTorch, as flaxgan.models and flaxgan.methods have them."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import softplus

from benchmarks.pytorch_architectures import NETWORKS as CONVOLUTIONAL
from benchmarks.pytorch_style import StyleDiscriminator, StyleGenerator
from flaxgan.config import Config
from flaxgan.methods.state import Network
from flaxgan.models.sizes import base_size, stage_widths

NETWORKS = CONVOLUTIONAL | {"style": (StyleGenerator, StyleDiscriminator)}


def _tensor(array: Any, *axes: int) -> torch.Tensor:
    return torch.tensor(np.asarray(array).transpose(axes).copy())


class Generator(nn.Module):
    def __init__(self, config: Config, channels: int):
        super().__init__()
        *widths, width = stage_widths(config.image_size, config.options.features)
        layers = [
            nn.ConvTranspose2d(
                config.options.latent_dim, width, base_size(config.image_size), bias=False
            )
        ]
        for features in reversed(widths):
            layers += [
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.ConvTranspose2d(width, features, 4, 2, 1, bias=False),
            ]
            width = features
        layers += [
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.ConvTranspose2d(width, channels, 4, 2, 1, bias=False),
            nn.Tanh(),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.layers(z[:, :, None, None])


class Discriminator(nn.Module):
    def __init__(self, config: Config, channels: int):
        super().__init__()
        width, *widths = stage_widths(config.image_size, config.options.features)
        layers = [nn.Conv2d(channels, width, 4, 2, 1, bias=False), nn.LeakyReLU(0.2)]
        for features in widths:
            layers += [
                nn.Conv2d(width, features, 4, 2, 1, bias=False),
                nn.BatchNorm2d(features),
                nn.LeakyReLU(0.2),
            ]
            width = features
        self.layers = nn.Sequential(
            *layers, nn.Conv2d(width, 1, base_size(config.image_size), bias=False)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x).flatten()


@torch.no_grad()
def copy_weights(module: nn.Module, network: Network, base: tuple[int, int]) -> None:
    """Linen's parameters -> PyTorch's: kernels (H, W, I, O), and the dense layer as a convolution
    of the whole feature map.
    """
    dense = np.asarray(network.params["Dense_0"]["kernel"])
    convolutions = [
        layer["kernel"] for name, layer in network.params.items() if name.startswith("Conv")
    ]
    norms = [layer for name, layer in network.params.items() if name.startswith("BatchNorm")]
    if isinstance(module, Generator):
        weights = [_tensor(dense.reshape(len(dense), *base, -1), 0, 3, 1, 2)]
        weights += [_tensor(np.asarray(kernel)[::-1, ::-1], 2, 3, 0, 1) for kernel in convolutions]
    else:
        weights = [_tensor(kernel, 3, 2, 0, 1) for kernel in convolutions]
        weights += [_tensor(dense.reshape(*base, -1, 1), 3, 2, 0, 1)]
    layers = [layer for layer in module.layers if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)]
    for layer, weight in zip(layers, weights, strict=True):
        layer.weight.copy_(weight)
    for layer, norm in zip(
        (layer for layer in module.layers if isinstance(layer, nn.BatchNorm2d)), norms, strict=True
    ):
        layer.weight.copy_(_tensor(norm["scale"], 0))
        layer.bias.copy_(_tensor(norm["bias"], 0))


class TorchTrainer:
    """A training step of PyTorch, from the weights of a state of flaxgan.

    `compile`: a mode of torch.compile, or None.
    """

    def __init__(
        self,
        config: Config,
        state: Any,
        channels_last: bool = True,
        compile: str | None = None,
        bfloat16: bool = False,
    ):
        torch.backends.cudnn.benchmark = True
        self.latent_dim, self.compiled = config.options.latent_dim, bool(compile)
        self.r1, self.r1_every, self.done = config.options.r1, config.options.r1_every, 0
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.autocast = torch.autocast(self.device, torch.bfloat16, enabled=bfloat16)
        base = base_size(config.image_size)
        self.optimisers = []
        kinds = NETWORKS.get(config.options.architecture, (Generator, Discriminator))
        for kind, network in zip(kinds, (state.generator, state.discriminator), strict=True):
            if kind in (Generator, Discriminator):
                module = kind(config, config.channels)
                copy_weights(module, network, base)
            else:
                module = kind(config, network.params)
            module.to(self.device, memory_format=self.memory_format)
            options = {
                "lr": config.learning_rate,
                "betas": (config.beta1, config.beta2),
                "fused": True,
            }
            self.optimisers.append(torch.optim.Adam(module.parameters(), **options))
            module = torch.compile(module, mode=compile) if compile else module
            if kind is kinds[0]:
                self.generator = module
            else:
                self.discriminator = module

    def step(self, images: torch.Tensor, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """uint8 images (N, H, W, C), z (N, latent_dim), both on the device -> (d_loss, g_loss), not
        waited for.
        """
        g_optimiser, d_optimiser = self.optimisers
        if self.compiled:
            torch.compiler.cudagraph_mark_step_begin()
        with self.autocast:
            real = (
                images.permute(0, 3, 1, 2)
                .float()
                .div(127.5)
                .sub(1)
                .contiguous(memory_format=self.memory_format)
            )
            self.done += 1
            penalised = self.r1 and self.done % self.r1_every == 0
            real.requires_grad_(bool(penalised))
            fake = self.generator(z)
            real_logits, fake_logits = (
                self.discriminator(real).float(),
                self.discriminator(fake.detach()).float(),
            )
            d_loss = softplus(-real_logits).mean() + softplus(fake_logits).mean()
        d_optimiser.zero_grad(set_to_none=True)
        whole = d_loss
        if penalised:
            (slopes,) = torch.autograd.grad(real_logits.sum(), real, create_graph=True)
            penalty = 0.5 * slopes.square().sum((1, 2, 3)).mean()
            whole = d_loss + self.r1 * self.r1_every * penalty
        whole.backward()
        d_optimiser.step()
        self.discriminator.requires_grad_(False)  # the generator's step needs no gradient of them
        with self.autocast:
            g_loss = softplus(-self.discriminator(fake).float()).mean()
        g_optimiser.zero_grad(set_to_none=True)
        g_loss.backward()
        g_optimiser.step()
        self.discriminator.requires_grad_(True)
        return d_loss.detach(), g_loss.detach()

    def put(self, array: np.ndarray) -> torch.Tensor:
        return torch.tensor(array, device=self.device)

    def steps(self, num: int, images: torch.Tensor) -> float:
        """`num` steps on one batch, each with new z -> the last d_loss, having waited for the
        device.
        """
        for _ in range(num):
            d_loss, _ = self.step(
                images, torch.randn(len(images), self.latent_dim, device=self.device)
            )
        return d_loss.item()
