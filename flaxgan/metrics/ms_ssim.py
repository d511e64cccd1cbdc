"""Multi-scale structural similarity, which is near 1 for images that are nearly the same."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, finest first
WINDOW, SIGMA = 11, 1.5
PAIRS = 2000
BLOCK = 100  # pairs at a time


def scales(height: int, width: int) -> int:
    """Return how many of the five scales fit: each halves the image, and the window needs room."""
    return sum(min(height, width) >> scale >= WINDOW for scale in range(len(WEIGHTS)))


def _blur(x: Array) -> Array:
    """Blur by a Gaussian, only where it fits whole: (N, H, W, C) -> (N, H - 10, W - 10, C)."""
    window = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    window /= window.sum()
    for axis in (1, 2):
        size = x.shape[axis] - WINDOW + 1
        slices = [lax.slice_in_dim(x, i, i + size, axis=axis) for i in range(WINDOW)]
        x = sum((part * float(w) for part, w in zip(slices, window, strict=True)), jnp.float32(0))
    return x


def _halve(x: Array) -> Array:
    """Average each 2x2 pixels; an odd side is padded with zeros on both ends.

    So do the common implementations.
    """
    pads = [(0, 0), *((size % 2, size % 2) for size in x.shape[1:3]), (0, 0)]
    return lax.reduce_window(x, 0.0, lax.add, (1, 2, 2, 1), (1, 2, 2, 1), pads) / 4


def _similarities(a: Array, b: Array) -> tuple[Array, Array]:
    """Return where structure and contrast, and where brightness is alike: (N, H - 10, W - 10, C).

    Wang, Bovik, Sheikh & Simoncelli 2004, equations 6 and 9 to 12.
    """
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    a_mean, b_mean = _blur(a), _blur(b)
    a_variance, b_variance = _blur(a * a) - a_mean**2, _blur(b * b) - b_mean**2
    covariance = _blur(a * b) - a_mean * b_mean
    structure = (2 * covariance + c2) / (a_variance + b_variance + c2)
    return structure, (2 * a_mean * b_mean + c1) / (a_mean**2 + b_mean**2 + c1)


@jax.jit
def ssim(a: Array, b: Array) -> Array:
    """Return the structural similarity (N,) of two batches (N, H, W, C) in 0..255.

    Sides are at least 11; averaged over places where the window fits whole, and over channels.
    """
    structure, brightness = _similarities(a.astype(jnp.float32), b.astype(jnp.float32))
    return (structure * brightness).mean((1, 2, 3))


@jax.jit
def ms_ssim(a: Array, b: Array) -> Array:
    """Return the multi-scale structural similarity (N,) of two batches (N, H, W, C) in 0..255.

    Sides are at least 11. Wang, Simoncelli & Bovik 2003, equation 7.

    Small images have room for fewer than five scales; the weights of those that fit are made to
    sum to one.
    """
    weights = np.array(WEIGHTS[: scales(*a.shape[1:3])])
    weights /= weights.sum()
    a, b = a.astype(jnp.float32), b.astype(jnp.float32)
    result = jnp.ones((a.shape[0], a.shape[3]))
    for scale, weight in enumerate(weights):
        similarity, brightness = _similarities(a, b)
        if scale == len(weights) - 1:
            similarity = similarity * brightness
        result = result * jnp.maximum(similarity.mean((1, 2)), 0) ** weight
        a, b = _halve(a), _halve(b)
    return result.mean(1)


def pairwise_ms_ssim(images: np.ndarray, seed: int = 0) -> float:
    """Return the mean over PAIRS random pairs of different images, uint8 (N, H, W, C).

    N is at least 2. Odena et al. 2017, section 4.2.
    """
    rng = np.random.default_rng(seed)
    first = rng.integers(len(images), size=PAIRS)
    second = (first + rng.integers(1, len(images), size=PAIRS)) % len(images)
    blocks = (slice(start, start + BLOCK) for start in range(0, PAIRS, BLOCK))
    return float(
        np.mean([ms_ssim(images[first[block]], images[second[block]]) for block in blocks])
    )
