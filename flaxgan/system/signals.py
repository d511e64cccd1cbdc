"""Ctrl-C, SIGTERM, and SIGHUP of a terminal that closes: they end a run where all of it can be
saved.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any, Self

from flaxgan.system.errors import leave_terminal, standard_error

HEARD = "flaxgan: {}: ending after what is under way, all saved; Ctrl-C ends at once\n"
ENDING = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows lacks the last


class Abandoned(BaseException):
    """What was under way has been ended, to be done anew at the next start.

    As KeyboardInterrupt, nothing else may catch it.
    """


@contextlib.contextmanager
def handling(handlers: dict[int, Any]) -> Iterator[None]:
    """Handle signals so for a while; change nothing in a thread other than the main one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: it was set in C
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextlib.contextmanager
def _hearing(names: dict[int, str], exits: bool) -> Iterator[None]:
    """Say at once, in a thread, that a signal came: its handler may have to wait for a compilation.

    With `exits` a Ctrl-C after it ends the process there, too.
    """
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    before = signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)

    def listen() -> None:
        heard = False
        while number := os.read(ear, 1):
            name = names.get(number[0])
            if name == "SIGHUP":
                leave_terminal()
            if name and not heard:
                heard = True
                with contextlib.suppress(OSError):  # not print, which may be what was interrupted
                    os.write(standard_error(), HEARD.format(name).encode())
            elif name == "SIGINT" and exits:
                _end_at_once()
        os.close(ear)

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(mouth)


def _end_at_once(*_: Any) -> None:
    """End the process as a kill would, which loses no checkpoint.

    An exception would surface in whatever callback of JAX is running, and be printed there.
    """
    with contextlib.suppress(OSError):
        os.write(standard_error(), b"flaxgan: interrupted\n")
    os._exit(128 + signal.SIGINT)


class Interrupt:
    """Whether a signal came that ends the run after the steps under way.

    Ctrl-C after it ends at once: by KeyboardInterrupt, or, with `exits`, the whole process.
    """

    def __init__(self, exits: bool = False) -> None:
        self.name = ""  # of the signal that came
        self._abandons, self._exits = False, exits

    def __bool__(self) -> bool:
        return bool(self.name)

    def _handle(self, number: int, _frame: Any) -> None:
        self.name = signal.Signals(number).name
        signal.signal(signal.SIGINT, _end_at_once if self._exits else signal.default_int_handler)
        if self._abandons:
            raise Abandoned

    @contextlib.contextmanager
    def abandoning(self) -> Iterator[None]:
        """Let a signal, also one that came before, raise Abandoned in what can be done anew."""
        self._abandons = True
        try:
            if self:
                raise Abandoned
            yield
        finally:
            self._abandons = False

    @classmethod
    @contextlib.contextmanager
    def watch(cls, exits: bool = False) -> Iterator[Self]:
        """Take note of signals while it lasts, if it is called in the main thread.

        Not of a SIGHUP that is ignored: nohup asks for that.
        """
        interrupt = cls(exits)
        if threading.current_thread() is not threading.main_thread():
            yield interrupt
            return
        names = {getattr(signal, name): name for name in ENDING if hasattr(signal, name)}
        if "SIGHUP" in names.values() and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
            del names[signal.SIGHUP]
        with _hearing(names, exits), handling(dict.fromkeys(names, interrupt._handle)):
            yield interrupt
