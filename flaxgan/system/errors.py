"""Mistakes of the person at the keyboard, as opposed to bugs: one line, exit status 2, no
traceback.
"""

import contextlib
import errno
import io
import os
import re
import stat
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

OBEYED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
GONE = (errno.EPIPE, errno.EIO)  # a reader, a terminal
GOES_ON = "and start again; a run goes on from its last checkpoint"


class Limit(NamedTuple):
    """Something that the system has no more of: how errors tell of it, and what to do."""

    numbers: tuple[int, ...]  # errno
    signs: tuple[str, ...]  # in messages of libraries that are not of Python
    remedy: str


FULL = Limit(  # a disk, a quota; on Windows the last sign
    (errno.ENOSPC, errno.EDQUOT),
    ("No space left on device", "Disk quota exceeded", "not enough space on the disk"),
    f"make room {GOES_ON}",
)
LIMITS = (
    FULL,
    Limit((errno.EMFILE, errno.ENFILE), ("Too many open files",), f"raise ulimit -n {GOES_ON}"),
    Limit(
        (errno.ENOMEM,),
        ("can't start new thread", "Cannot allocate memory", "Unable to allocate"),
        f"let it have more memory, or threads (ulimit -v, -u), {GOES_ON}",
    ),
)


class UserError(ValueError):
    """Says in one line what the user can mend: what was wrong and what to do."""


def visible(text: str) -> str:
    """Return a text with what a terminal would obey, or hide, escaped as in a Python string.

    That are control characters, and marks that turn the direction of writing; names of files and
    classes, and a stranger's config.json, may hold them. Ends of lines stay.
    """
    return OBEYED.sub(lambda match: repr(match[0])[1:-1], text)


def say(*text: object, flush: bool = False) -> None:
    """Print for the person who watches; if they have gone, work goes on in silence.

    So it is after `| head`, and when a terminal has closed.
    """
    try:
        print(*map(visible, map(str, text)), flush=flush)
    except OSError as error:
        if error.errno not in GONE:
            raise
        _mute(1)


def complain(text: str) -> None:
    """Print a line on standard error, if anybody reads it."""
    with contextlib.suppress(OSError):
        print(visible(text), file=sys.stderr, flush=True)


def _mute(number: int) -> None:
    """Let an open file lead nowhere: 1 is standard output, 2 standard error."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, number)
    if null != number:
        os.close(null)


def standard_error() -> int:
    """Return the file descriptor of standard error, for what may not wait for Python's stream."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError):  # a notebook's, or none
        return 2


def leave_terminal() -> None:
    """Print nothing more on a terminal, which has closed."""
    for number in {1, 2, standard_error()}:
        status = os.fstat(number)
        # it no longer answers that it is a terminal
        if stat.S_ISCHR(status.st_mode) and status.st_rdev != os.stat(os.devnull).st_rdev:
            _mute(number)


def _open_closed_streams() -> None:
    """Let standard streams that were closed (>&-) lead nowhere.

    Else the next file that is opened would be taken for them, and get what is printed.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            _mute(number)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115


def _is_unread() -> bool:
    """Tell whether nobody reads standard output any longer: tries an empty line."""
    try:
        print(flush=True)
    except BrokenPipeError:
        return True
    return False


@contextlib.contextmanager
def explaining_limits() -> Iterator[None]:
    """Raise a UserError where disk, memory, threads or open files run out, whoever says so."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason: BaseException | None = error
        while reason:
            for limit in LIMITS:
                if getattr(reason, "errno", None) in limit.numbers or any(
                    sign in str(reason) for sign in limit.signs
                ):
                    raise UserError(f"{reason}: {limit.remedy}") from error
            reason = reason.__cause__ or reason.__context__
        raise


def _complain_of_unraisable(unraisable: Any) -> None:
    """Print what can't be raised, but of event loops that too few open files left unfinished."""
    if "'_ssock'" not in str(unraisable.exc_value):
        sys.__unraisablehook__(unraisable)


@contextlib.contextmanager
def exit_on_user_error(owns_process: bool = False) -> Iterator[None]:
    """Turn a UserError into a line on standard error and exit status 2; raise anything else.

    With `owns_process` it ends there: what Orbax still writes would fail, and print tracebacks.
    """
    _open_closed_streams()
    if owns_process:
        sys.unraisablehook = _complain_of_unraisable
    if isinstance(sys.stdout, io.TextIOWrapper):
        # as standard error does: file names may be no UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with explaining_limits():
            yield
            sys.stdout.flush()  # Python's own, at its end, would complain of a reader that has gone
    except UserError as error:
        complain("flaxgan: error: " + " ".join(str(error).split()))
        if owns_process:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
            os._exit(2)
        sys.exit(2)
    except KeyboardInterrupt:
        complain("flaxgan: interrupted")
        sys.exit(130)
    except BrokenPipeError:
        if not _is_unread():
            raise
        _mute(1)
        sys.exit(141)  # as a shell says of a program that ended so
