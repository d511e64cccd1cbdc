"""Mistakes of the person at the keyboard, as opposed to bugs: one line, exit status 2, no traceback."""

import contextlib
import sys
from collections.abc import Iterator


class UserError(Exception):
    """Something the user can mend. The message is one line: what was wrong and what to do."""


@contextlib.contextmanager
def exit_on_user_error() -> Iterator[None]:
    """Turn a UserError into one line on standard error and exit status 2; anything else keeps its traceback."""
    try:
        yield
    except UserError as error:
        print("flaxgan: error: " + " ".join(str(error).split()), file=sys.stderr)
        sys.unraisablehook = lambda _: None  # what Orbax still reads of a damaged checkpoint dies noisily at exit
        sys.exit(2)
    except KeyboardInterrupt:
        print("flaxgan: interrupted", file=sys.stderr)
        sys.exit(130)
