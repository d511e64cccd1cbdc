"""Say in a line what XLA says in a C++ stack when it aborts a process that has lost another one."""

import contextlib
import ctypes
import io
import os
import signal
import sys
import threading
import time
from typing import Any

from flaxgan.system.errors import complain

# in the lines that jaxlib writes of the other processes, before it aborts this one
SIGNS = (b"coordination_service", b"preemption_sync", b"distributed service", b"std::bad_cast")
SECONDS_TO_HEAR = 0.3

_handler: Any = None  # C keeps no reference to it


class Filter:
    """Standard error as a pipe: what others than Python write passes, but for XLA's last words.

    After a line with one of SIGNS nothing of C++ passes any more; Python's own lines always do.
    """

    def __init__(self) -> None:
        """Take the place of file descriptor 2. Its reader is a thread."""
        self.real = os.dup(2)
        self.withheld: list[bytes] = []
        reading, writing = os.pipe()
        os.dup2(writing, 2)
        os.close(writing)
        threading.Thread(target=self._pass_on, args=(reading,), daemon=True).start()

    def _pass_on(self, reading: int) -> None:
        with os.fdopen(reading, "rb") as lines:
            for line in lines:
                if self.withheld or any(sign in line for sign in SIGNS):
                    self.withheld.append(line)
                else:
                    with contextlib.suppress(OSError):  # nobody reads any more
                        os.write(self.real, line)


def explain_aborts(message: str) -> None:
    """From now on, say `message` and exit with 2 where XLA aborts for the loss of a process.

    Other aborts stay as they are. XLA calls abort() in a thread of its own, where no Python
    exception can reach; a handler of SIGABRT, in C as ctypes makes it, can. Does nothing on
    Windows, or where standard error is not the process's own, as in a notebook.
    """
    global _handler
    if os.name != "posix" or not isinstance(sys.stderr, io.TextIOWrapper) or _handler:
        return
    if sys.stderr.fileno() != 2:
        return
    errors = Filter()
    sys.stderr = open(errors.real, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    libc = ctypes.CDLL(None)
    libc.signal.argtypes, libc.signal.restype = (ctypes.c_int, ctypes.c_void_p), ctypes.c_void_p

    def aborted(number: int) -> None:
        time.sleep(SECONDS_TO_HEAR)  # the thread of the filter reads meanwhile
        if errors.withheld:
            complain(message)
            os._exit(2)
        libc.signal(number, None)  # SIG_DFL: the abort goes on when this returns

    _handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(aborted)
    libc.signal(signal.SIGABRT, ctypes.cast(_handler, ctypes.c_void_p))
