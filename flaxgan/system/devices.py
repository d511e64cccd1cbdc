"""What to compute on, and the settings of JAX that it takes."""

import contextlib
import ctypes
import functools
import mmap
import os
import platform
from collections.abc import Iterator
from typing import Any

import jax

from flaxgan.system.errors import UserError
from flaxgan.system.files import cache_dir

ON_HUGE_PAGES = 2**32  # bytes at the beginning of the heap
# Off: XLA compiles and times dozens of Triton programs for each matrix product on a GPU, a minute
# for some of our networks, and cuBLAS's are no slower here.
TRITON = "xla_gpu_enable_triton_gemm"


@functools.cache
def keep_freed_memory() -> None:
    """Let glibc reuse the memory of large arrays, instead of returning it to the system.

    Every step of a CPU frees and asks for the same gigabytes. They are to lie on huge pages, where
    the system has them: small ones cost a step a tenth of its speed. Elsewhere than on glibc
    (Linux) nothing is changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    trim_threshold, mmap_max, arena_max = -1, -4, -8  # as malloc.h has them
    libc.mallopt(trim_threshold, -1)  # never
    libc.mallopt(mmap_max, 0)
    libc.mallopt(arena_max, 1)  # else each of XLA's threads has a heap of its own to keep
    # of addresses, which fill with memory only as they are used
    if block := libc.malloc(ctypes.c_size_t(ON_HUGE_PAGES)):
        page = -(-block // mmap.PAGESIZE) * mmap.PAGESIZE
        libc.madvise(
            ctypes.c_void_p(page),
            ctypes.c_size_t(ON_HUGE_PAGES - mmap.PAGESIZE),
            mmap.MADV_HUGEPAGE,
        )
        libc.free(ctypes.c_void_p(block))


def set_up_devices(device: str) -> list[jax.Device]:
    """Choose what to compute on, once a process and before the first computation.

    Raises UserError if it is not there.
    """
    # XLA divides a CPU's program among the cores that there are when it compiles, which JAX's cache
    # doesn't ask when it loads.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    jax.config.update("jax_compilation_cache_dir", str(cache_dir() / "xla" / f"{cores}_cores"))
    # a start needs dozens of small programs
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    keep_freed_memory()
    if device == "cpu":
        jax.config.update("jax_platforms", "cpu")
    elif TRITON not in os.environ.get("XLA_FLAGS", ""):
        os.environ["XLA_FLAGS"] = f"--{TRITON}=false " + os.environ.get("XLA_FLAGS", "")
    try:
        return jax.devices(None if device in ("auto", "cpu") else device)
    # an assertion where JAX_PLATFORMS names what no plugin brings
    except (RuntimeError, AssertionError) as error:
        asked = (
            f"JAX_PLATFORMS={os.environ.get('JAX_PLATFORMS')}"
            if device == "auto"
            else f"--device {device}"
        )
        raise UserError(
            f"{asked}: JAX finds no such device here "
            '(NVIDIA GPU: pip install "jax[cuda12]"; TPU: pip install "jax[tpu]"; or --device cpu)'
        ) from error


def on_cpu() -> bool:
    """Tell whether this process computes on a CPU.

    lax.platform_dependent would choose later, and trace all choices: a start takes longer.
    """
    return jax.default_backend() == "cpu"


@contextlib.contextmanager
def explaining_out_of_memory(
    advice: str = "wait until what else it computes has ended, or give --device cpu",
) -> Iterator[None]:
    """Raise a UserError in place of what XLA says when memory runs out."""
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        # of GPU and TPU, and of the CPU
        if not any(sign in str(error) for sign in ("RESOURCE_EXHAUSTED", "Out of memory")):
            raise
        raise UserError(
            f"the device is out of memory; {advice} ({str(error).splitlines()[0][:150]})"
        ) from error


def on_one_device(tree: Any) -> Any:
    """Return what all devices hold as arrays on one device of this process.

    So the process can compute with it by itself.
    """
    return jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)
