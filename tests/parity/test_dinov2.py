"""DINOv2 beside a PyTorch build of it, with random weights: its published ones are not to be had
without a network.
"""

import io

import numpy as np
import pytest

from flaxgan.pretrained import dinov2
from flaxgan.pretrained.weights import read_tensors

torch = pytest.importorskip("torch")
F = torch.nn.functional


class Block(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm1, self.norm2 = (torch.nn.LayerNorm(dim, eps=1e-6) for _ in range(2))
        self.attn = torch.nn.ModuleDict(
            {"qkv": torch.nn.Linear(dim, 3 * dim), "proj": torch.nn.Linear(dim, dim)}
        )
        self.mlp = torch.nn.ModuleDict(
            {"fc1": torch.nn.Linear(dim, 4 * dim), "fc2": torch.nn.Linear(4 * dim, dim)}
        )
        for name in ("ls1", "ls2"):
            scale = torch.nn.Module()
            scale.gamma = torch.nn.Parameter(torch.rand(dim))
            setattr(self, name, scale)

    def forward(self, x):
        n, t, d = x.shape
        q, k, v = self.attn["qkv"](self.norm1(x)).reshape(n, t, 3, -1, 64).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / 8).softmax(-1)
        x = x + self.ls1.gamma * self.attn["proj"]((weights @ v).transpose(1, 2).reshape(n, t, d))
        return x + self.ls2.gamma * self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class ViT(torch.nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.cls_token = torch.nn.Parameter(torch.randn(1, 1, dim))
        self.pos_embed = torch.nn.Parameter(torch.randn(1, 1 + 37**2, dim))
        self.mask_token = torch.nn.Parameter(torch.zeros(1, dim))
        self.patch_embed = torch.nn.ModuleDict({"proj": torch.nn.Conv2d(3, dim, 14, 14)})
        self.blocks = torch.nn.ModuleList(Block(dim) for _ in range(12))
        self.norm = torch.nn.LayerNorm(dim, eps=1e-6)

    def forward(self, x):
        x = self.patch_embed["proj"](x).flatten(2).transpose(1, 2)
        grid = self.pos_embed[:, 1:].reshape(1, 37, 37, -1).permute(0, 3, 1, 2)
        scale = (16 + 0.1) / 37
        grid = F.interpolate(grid, scale_factor=(scale, scale), mode="bicubic")
        positions = torch.cat([self.pos_embed[:, :1], grid.flatten(2).transpose(1, 2)], 1)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + positions
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]


@pytest.mark.parametrize("network", [dinov2.SMALL, dinov2.BASE], ids=lambda x: x.size)
def test_features_equal_an_independent_build(network):
    torch.manual_seed(0)
    model = ViT(network.DIM).eval()
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    variables = dinov2.convert(read_tensors(file.getvalue()))
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3), np.uint8)
    mean, std = torch.tensor(dinov2.MEAN), torch.tensor(dinov2.STD)
    with torch.no_grad():
        want = model(((torch.tensor(images) / 255 - mean) / std).permute(0, 3, 1, 2)).numpy()
    got = network.features(variables, images)
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-4 * abs(want).max())
