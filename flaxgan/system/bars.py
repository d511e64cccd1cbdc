"""Progress bars: on a terminal, in a notebook, and none where output goes to a file."""

import sys
from importlib.util import find_spec
from typing import Any

from tqdm import tqdm


def in_notebook() -> bool:
    """Tell whether this process is a notebook's kernel, which shows bars without a terminal."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return shell is not None and "IPKernelApp" in shell.config


def progress_bar(iterable: Any = None, *, hidden: bool = False, **options: Any) -> tqdm:
    """Return tqdm's bar: the notebook's own if ipywidgets is there, else one of text.

    It is disabled if `hidden`, or if nobody would see it move; its `disable` says so.
    """
    if not in_notebook():
        return tqdm(iterable, disable=True if hidden else None, dynamic_ncols=True, **options)
    if find_spec("ipywidgets") is None:  # tqdm.auto would warn
        return tqdm(iterable, disable=hidden, ncols=100, file=sys.stdout, **options)
    from tqdm.notebook import tqdm as widget

    return widget(iterable, disable=hidden, **options)
