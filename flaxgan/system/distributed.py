"""Several processes that train one network together, on JAX's distributed runtime.

All of them compute; process 0 alone writes to the run's folder (but for checkpoints, which Orbax
has all of them write), which must be on a disk that all of them share. Caches, each host may have
its own, and every process sees to them.
"""

import contextlib
import errno
import hashlib
import os
import signal
import socket
import threading
import traceback
from collections.abc import Iterator

import jax
import numpy as np
from jax.experimental import multihost_utils

from flaxgan.system.aborts import explain_aborts
from flaxgan.system.errors import UserError, complain, explaining_limits, say
from flaxgan.system.signals import handling

SECONDS_TO_MEET = 300  # how long processes wait for each other in the beginning,
SECONDS_UNSAID = 10  # and how long without a word
SECONDS_OF_SILENCE = 30  # after which a process counts as dead
LONGEST_TEXT = 4096
LOST = (
    "has lost another process of this run; start all of them again to go on from the last"
    " checkpoint"
)
LIBRARIES = ("Gloo", "NCCL")  # by which processes talk
SIGNS_OF_A_LOSS = (
    *LIBRARIES,
    "UNAVAILABLE",
    "ABORTED",
    "CANCELLED",
    "DEADLINE_EXCEEDED",
    "coordination service",
    "onnection",
)


def join(
    coordinator_address: str | None, num_processes: int | None, process_id: int | None
) -> None:
    """Meet the other processes, before JAX's first computation.

    Raises UserError if that fails; where they don't come, exits.

    If all are None, SLURM, Cloud TPU or Kubernetes says where they meet.
    """
    failed = "--distributed: the processes did not meet"
    remedy = (
        "outside SLURM, Cloud TPU and Kubernetes give --coordinator-address HOST:PORT"
        " --num-processes N --process-id I, and start all N"
    )
    bind_to = _checked(coordinator_address, process_id) if coordinator_address else None
    met = threading.Event()

    def watch() -> None:
        if not met.wait(SECONDS_UNSAID):
            say(
                f"--distributed: waiting for the other processes, {SECONDS_TO_MEET} s at most ...",
                flush=True,
            )
        if not met.wait(SECONDS_TO_MEET - SECONDS_UNSAID):
            complain(f"flaxgan: error: {failed} within {SECONDS_TO_MEET} s; {remedy}")
            os._exit(2)

    threading.Thread(target=watch, daemon=True).start()
    try:
        # JAX waits in C++, where Python would not hear of it
        with handling({signal.SIGINT: signal.SIG_DFL}):
            jax.distributed.initialize(
                coordinator_address,
                num_processes,
                process_id,
                # at which XLA would abort the process, and say so in C++
                initialization_timeout=2 * SECONDS_TO_MEET,
                heartbeat_timeout_seconds=SECONDS_OF_SILENCE,
                shutdown_timeout_seconds=SECONDS_OF_SILENCE,
                coordinator_bind_address=bind_to,
            )
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{failed} ({str(error).splitlines()[0][:200]}); {remedy}") from error
    finally:
        met.set()
    explain_aborts(f"flaxgan: error: process {jax.process_index()} {LOST}")


def _checked(address: str, process_id: int | None) -> str | None:
    """Raise UserError if the processes can't meet at HOST:PORT; JAX would hang there, or crash.

    Returns where process 0 is to listen: at that address alone, if it is this machine's. JAX's
    coordinator takes whoever reaches it for one of the processes.
    """
    host, _, number = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    port = int(number) if number.isdecimal() else 0
    if not 0 < port < 2**16:
        raise UserError(
            f"--coordinator-address {address}: a port is a number from 1 to 65535; give HOST:PORT"
        )
    try:
        family, _, _, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise UserError(
            f"--coordinator-address {address}: {host} is not known ({error.strerror}); give the"
            " name or number of process 0's machine"
        ) from error
    if process_id != 0:
        return None
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UserError(
                    f"--coordinator-address {address}: that port is in use on this machine; give"
                    " all processes another"
                ) from error
            return None  # an address by which the others know it
    return f"[{place[0]}]:{port}" if family == socket.AF_INET6 else f"{place[0]}:{port}"


def is_first() -> bool:
    """Tell whether this process writes files and talks to people: process 0, or the only one."""
    return jax.process_index() == 0


def from_first(text: str) -> str:
    """Return process 0's text on all processes; waits until all have come to this line."""
    if jax.process_count() == 1:
        return text
    content = os.fsencode(text)  # paths, which need be no text
    padded = np.zeros(LONGEST_TEXT, np.uint8)
    padded[: len(content)] = np.frombuffer(content, np.uint8)
    return os.fsdecode(
        bytes(np.asarray(multihost_utils.broadcast_one_to_all(padded))).rstrip(b"\0")
    )


def agreed(holds: bool) -> bool:
    """Return process 0's answer on all processes; waits until all have come to this line."""
    return bool(multihost_utils.broadcast_one_to_all(np.bool_(holds)))


def require_equal(text: str, otherwise: str) -> None:
    """Raise UserError on every process if their texts differ; `otherwise` says what they do."""
    if jax.process_count() > 1:
        digest = np.frombuffer(hashlib.sha256(text.encode()).digest(), np.uint32)
        if (multihost_utils.process_allgather(digest) != digest).any(0).any():
            raise UserError(f"the processes {otherwise}; give all the same")


def _is_a_loss(error: Exception) -> bool:
    """Tell whether an error says that another process is gone; JAX may raise it as a ValueError."""
    signs = SIGNS_OF_A_LOSS if isinstance(error, jax.errors.JaxRuntimeError) else LIBRARIES
    return any(sign in str(error) for sign in signs)


@contextlib.contextmanager
def ending_together() -> Iterator[None]:
    """End this one of several processes at once where an error ends it.

    So the others learn of it; they could only wait.
    """
    try:
        with explaining_limits():
            yield
    except Exception as error:
        if not jax.distributed.is_initialized():
            raise
        reason = str(error)
        if isinstance(error, UserError):
            complain(f"flaxgan: error: {' '.join(reason.split())}")
        elif _is_a_loss(error):
            complain(
                f"flaxgan: error: process {jax.process_index()} {LOST}"
                f" ({reason.splitlines()[0][:200]})"
            )
        else:
            traceback.print_exc()
        os._exit(2)  # the usual way out waits for the others
    except KeyboardInterrupt:  # the second one, which is to end it at once
        if not jax.distributed.is_initialized():
            raise
        os._exit(128 + signal.SIGINT)
