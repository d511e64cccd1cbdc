"""Mistakes of the person at the keyboard, as opposed to bugs: one line, exit status 2, no
traceback.
"""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator

FULL = (errno.ENOSPC, errno.EDQUOT)  # a disk, a quota
# As libraries say so that are not of Python, on Windows last.
SIGNS_OF_A_FULL_DISK = (
    "No space left on device",
    "Disk quota exceeded",
    "not enough space on the disk",
)


class UserError(ValueError):
    """Says in one line what the user can mend: what was wrong and what to do."""


def say(*text: str, flush: bool = False) -> None:
    """Print for the person who watches; if they have gone (`| head`), work goes on in silence."""
    try:
        print(*text, flush=flush)
    except BrokenPipeError:
        _mute()


def _mute() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_unread() -> bool:
    """Tell whether nobody reads standard output any longer: tries an empty line."""
    try:
        print(flush=True)
    except BrokenPipeError:
        return True
    return False


@contextlib.contextmanager
def explaining_full_disk() -> Iterator[None]:
    """Raise a UserError where a disk or a quota is full, whichever library says so."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason: BaseException | None = error
        while reason:
            if getattr(reason, "errno", None) in FULL or any(
                sign in str(reason) for sign in SIGNS_OF_A_FULL_DISK
            ):
                raise UserError(
                    f"{reason}: make room and start again; a run goes on from its last checkpoint"
                ) from error
            reason = reason.__cause__ or reason.__context__
        raise


@contextlib.contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Turn a UserError into a line on standard error and exit status 2; raise anything else."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # as standard error does: file names may be no UTF-8
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with explaining_full_disk():
            yield
            sys.stdout.flush()  # Python's own, at its end, would complain of a reader that has gone
    except UserError as error:
        print("flaxgan: error: " + " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("flaxgan: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        if not _is_unread():
            raise
        _mute()
        sys.exit(141)  # as a shell says of a program that ended so
