"""Files that are there whole or not at all, and folders that one process alone may write to."""

import contextlib
import errno
import os
import re
import secrets
import stat
import time
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

from flaxgan.system.errors import UserError

TEMPORARY = ".tmp"
LOOKS = 5


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a new, empty file beside `path` to write to, renamed to it at the end.

    It is removed if the writing failed. Nobody can foresee its name and lay a link there.
    """
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}{TEMPORARY}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def remove_temporaries(folder: Path) -> None:
    """Remove what `replacing` left in a folder in processes that were killed, or can't."""
    for path in folder.glob(f".*{TEMPORARY}"):
        if re.search(r"\.[0-9a-f]{16}$", path.name.removesuffix(TEMPORARY)):
            with contextlib.suppress(OSError):
                path.unlink()


def read_text(path: Path, most: int = 2**30) -> str:
    """Return the text of a file; what is no UTF-8 in it is replaced.

    Raises OSError, also for what is no file, as a pipe or a device, or has more than `most` bytes.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no file", str(path))
    if status.st_size > most:
        raise OSError(errno.EFBIG, f"it has more than {most} bytes", str(path))
    return path.read_text(encoding="utf-8", errors="replace")


def portable(name: str) -> str:
    """Replace by - what a name can't have on Windows, or Orbax can't take in a path."""
    return re.sub(r'[\x00-\x1f<>:"/\\|?*\[\]\ud800-\udfff]', "-", name)


def require_writable(path: Path) -> None:
    """Raise UserError if the file --output can't be written; its folder is created."""
    trial = path.with_name(f".{path.name}.trial")
    try:
        if path.is_dir():
            raise UserError(f"--output {path} is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise UserError(f"--output {path} can't be written: {error.strerror}") from error


def require_outside(output: Path, places: Iterable[Path], what: str) -> None:
    """Raise UserError if --output is one of the files or folders, or lies in one.

    `what` says why it can't.
    """
    real = Path(os.path.realpath(output))
    for place in places:
        if Path(os.path.realpath(place)) in (real, *real.parents):
            raise UserError(
                f"--output {output} is, or lies in, {place}, {what}; name another place"
            )


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` against other processes of this host until this one ends.

    Raises UserError if another process holds it. Windows has no such lock: there nothing is held,
    and two trainings in one folder would overwrite each other's files.
    """
    try:
        import fcntl
    except ModuleNotFoundError:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        for attempt in range(LOOKS):  # who only looks (see in_use) holds it for an instant
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if attempt == LOOKS - 1:
                    raise UserError(
                        f"{folder} is being trained by another process; wait for it, or name"
                        " another --run-dir"
                    ) from error
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def composed(name: str) -> str:
    """Return a name as people see it: an accent is one with its letter (Unicode's NFC).

    macOS and its archives write them as two, so that equal names would differ.
    """
    return unicodedata.normalize("NFC", name)


def in_use(folder: Path) -> bool:
    """Tell whether a process holds `folder` (see `locked`); where there are no locks, never."""
    try:
        import fcntl
    except ModuleNotFoundError:
        return False
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(handle)
    return False


def cache_dir() -> Path:
    """Return $FLAXGAN_CACHE, or else a folder flaxgan in the user's cache folder.

    Raises UserError if there is no such user.
    """
    if own := os.environ.get("FLAXGAN_CACHE"):
        return Path(own)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flaxgan"
    except RuntimeError as error:
        raise UserError(
            "there is no home folder to keep prepared pictures in; set FLAXGAN_CACHE to a folder"
        ) from error
