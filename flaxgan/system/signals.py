"""Ctrl-C and SIGTERM: they end a run where all of it can be saved."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any, Self


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


class Interrupt:
    """Whether Ctrl-C or SIGTERM came.

    The first ends the run after the steps under way; a second Ctrl-C ends it at once.
    """

    def __init__(self) -> None:
        self.name = ""  # of the signal that came
        self._abandons = False

    def __bool__(self) -> bool:
        return bool(self.name)

    def _handle(self, number: int, _frame: Any) -> None:
        self.name = signal.Signals(number).name
        signal.signal(signal.SIGINT, signal.default_int_handler)
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
    def watch(cls) -> Iterator[Self]:
        """Take note of signals while it lasts, if it is called in the main thread."""
        interrupt = cls()
        with handling(dict.fromkeys((signal.SIGINT, signal.SIGTERM), interrupt._handle)):
            yield interrupt
