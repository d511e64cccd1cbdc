"""The convolutions of the networks, lowered well on each platform: the choice, in one place.

XLA's CPU gradients of them are some twenty times slower than the matrix products inside them, so on
the CPU they are written as matrix products. Kernels are (4, 4, in, out) whatever the lowering, so
that a checkpoint moves freely.
"""

from types import ModuleType

import jax.numpy as jnp
from jax import Array
from jax.typing import DTypeLike

from flaxgan.convolutions import plain, stride1, thin, winograd3x3
from flaxgan.convolutions.im2col import IM2COL
from flaxgan.convolutions.lowering import Lowering
from flaxgan.convolutions.winograd import F2, F4
from flaxgan.convolutions.xla import XLA, XLA_IN_BLOCKS
from flaxgan.system.devices import on_cpu

# below, 4*C columns make thin matrix products, and gathering all 16*C at once is faster
FEW_CHANNELS = 8
CHANNELS_FOR_TILES = 32  # with fewer, the sums of a tile cost more than its fewer products save
# up to so many, of 32x32 pixels in float32, an H100 is faster at 2x2 convolutions of 2x2 blocks
MOST_IN_BLOCKS = 64
# Outputs in a batch; in jit that of all devices together, though each of them makes the larger
# kernel.
# for so few, F2's 9/4 times larger kernel costs more than its fewer products save
FEW_POSITIONS = 128
FEW_TILES, CHANNELS_OF_A_TILE = 16, 16  # of 4x4 outputs, below which 3x3 is as fast unfiltered
MANY_POSITIONS = 2048  # for fewer, F4's 25/4 times larger one costs more than it saves over F2

__all__ = [
    "conv3x3_down",
    "conv3x3_up",
    "conv4x4",
    "conv4x4_transpose",
    "conv_reflected",
    "conv_stride1",
]


def _lowering(n: int, h: int, w: int, channels: int, dtype: DTypeLike) -> Lowering:
    """Return the fastest lowering for a y of (n, h, w) and an x of so many channels."""
    if not on_cpu():
        in_blocks = channels < FEW_CHANNELS or (dtype == jnp.float32 and channels <= MOST_IN_BLOCKS)
        return XLA_IN_BLOCKS if in_blocks else XLA
    if channels < FEW_CHANNELS or n * h * w <= FEW_POSITIONS:
        return IM2COL
    # F4's outputs are differences of products weighed by up to 8^2: too coarse in bfloat16. Where
    # it would pad by more than F2, it costs more (6x6) or saves less (0.91 of the products at
    # 14x14, 0.79 at 30x30, instead of 0.69).
    suits_f4 = dtype == jnp.float32 and n * h * w >= MANY_POSITIONS and -h % 4 <= 1 and -w % 4 <= 1
    return F4 if suits_f4 else F2


def _filled(x: Array, multiple: int) -> Array:
    """Pad height and width with zeros at their ends."""
    return jnp.pad(x, ((0, 0), (0, -x.shape[1] % multiple), (0, -x.shape[2] % multiple), (0, 0)))


def _conv(lowering: Lowering, x: Array, kernel: Array) -> Array:
    _, h, w, _ = x.shape
    return lowering.conv(_filled(x, lowering.multiple), kernel)[:, : -(-h // 2), : -(-w // 2)]


def _conv_transpose(lowering: Lowering, y: Array, kernel: Array) -> Array:
    _, h, w, _ = y.shape
    return lowering.transpose(_filled(y, lowering.multiple // 2), kernel[::-1, ::-1])[
        :, : 2 * h, : 2 * w
    ]


def conv4x4(x: Array, kernel: Array) -> Array:
    """Convolve with stride 2, padding 'SAME'.

    (N, H, W, I), (4, 4, I, O) -> (N, ceil(H/2), ceil(W/2), O).
    """
    if plain.is_asked():
        return plain.conv(x, kernel)
    n, h, w, c = x.shape
    return _conv(_lowering(n, -(-h // 2), -(-w // 2), c, x.dtype), x, kernel)


def conv4x4_transpose(x: Array, kernel: Array) -> Array:
    """Apply lax.conv_transpose, stride 2, 'SAME': (N, H, W, I), (4, 4, I, O) -> (N, 2H, 2W, O)."""
    if plain.is_asked():
        return plain.conv_transpose(x, kernel)
    n, h, w, _ = x.shape
    return _conv_transpose(_lowering(n, h, w, kernel.shape[3], x.dtype), x, kernel)


def conv_stride1(x: Array, kernel: Array, padding: int | None = None) -> Array:
    """Convolve with `padding` zeros at each side, by default as many as keep an odd kernel's size.

    (N, H, W, I), (S, S, I, O) -> (N, H + 2 * padding - S + 1, W + 2 * padding - S + 1, O).
    """
    padding = len(kernel) // 2 if padding is None else padding
    if plain.is_asked() or not on_cpu():
        return stride1.xla_conv(x, kernel, padding)
    return _stride1(x, kernel, padding).conv(x, kernel, padding)


def _stride1(x: Array, kernel: Array, padding: int) -> ModuleType:
    """Return the faster lowering on a CPU.

    Minimal filtering makes a kernel four times larger, which takes some tiles to be worth it, and
    more where channels are many.
    """
    fewest, most = sorted(kernel.shape[2:])
    if fewest < FEW_CHANNELS and len(kernel) > 1:
        return thin
    n, h, w, _ = x.shape
    shrinks = 2 * padding - len(kernel) + 1
    tiles = n * -(-(h + shrinks) // 4) * -(-(w + shrinks) // 4)
    suits = len(kernel) == 3 and fewest >= CHANNELS_FOR_TILES and x.dtype == jnp.float32
    enough = tiles >= max(FEW_TILES, most // CHANNELS_OF_A_TILE)
    return winograd3x3 if suits and enough else stride1


def conv_reflected(x: Array, kernel: Array) -> Array:
    """Convolve a picture that is mirrored at its edges: (N, H, W, I), (odd, odd, I, O) -> O."""
    return conv_stride1(_mirrored(x, len(kernel) // 2), kernel, 0)


@plain.named
def _mirrored(x: Array, side: int) -> Array:
    """Continue a picture by so many pixels at each side, mirrored at those of its edges."""
    sides = (side, side)
    return jnp.pad(x, ((0, 0), sides, sides, (0, 0)), "reflect")


def conv3x3_down(x: Array, kernel: Array) -> Array:
    """Convolve with stride 2 and a zero at each side: (N, H, W, I), (3, 3, I, O) -> (N, H/2, ...).

    As a 4x4 kernel with zeros in its last row and column. H and W are even.
    """
    return conv4x4(x, jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0))))


def conv3x3_up(x: Array, kernel: Array) -> Array:
    """Apply the transposed convolution of stride 2: (N, H, W, I), (3, 3, I, O) -> (N, 2H, 2W, O).

    It is PyTorch's ConvTranspose2d(3, stride=2, padding=1, output_padding=1), its kernel turned.
    """
    return conv4x4_transpose(x, jnp.pad(kernel, ((1, 0), (1, 0), (0, 0), (0, 0))))
