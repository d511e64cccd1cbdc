"""The convolutions as one operation each, for what is to be read by others: exported networks."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator

import jax
from jax import Array, lax

_LAYOUT = ("NHWC", "HWIO", "NHWC")
_asked = contextvars.ContextVar("asked", default=False)


@contextlib.contextmanager
def plain_convolutions() -> Iterator[None]:
    """Let what this thread traces meanwhile have these convolutions, whatever the platform is.

    They take sizes that are symbols, too.
    """
    token = _asked.set(True)
    try:
        yield
    finally:
        _asked.reset(token)


def is_asked() -> bool:
    """Tell whether this is within plain_convolutions."""
    return _asked.get()


def named(function: Callable[..., Array]) -> Callable[..., Array]:
    """Keep the name of a function of an array, and of numbers, in what plain_convolutions traces.

    So a format that has the whole function as one operation can write that.
    """

    @functools.wraps(function)
    def called(x: Array, *numbers: int) -> Array:
        if not is_asked():
            return function(x, *numbers)
        return jax.jit(function, static_argnums=range(1, 1 + len(numbers)))(x, *numbers)

    return called


def conv(x: Array, kernel: Array) -> Array:
    """Convolve as convolutions.conv4x4 does."""
    return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=_LAYOUT)


def conv_transpose(x: Array, kernel: Array) -> Array:
    """Convolve x, zeros between and around its pixels, as convolutions.conv4x4_transpose does."""
    return lax.conv_general_dilated(
        x, kernel, (1, 1), [(2, 2)] * 2, lhs_dilation=(2, 2), dimension_numbers=_LAYOUT
    )
