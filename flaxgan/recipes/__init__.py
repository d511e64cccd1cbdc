"""The recipes, which --recipe names: a file each, with a CONFIG and with what was measured of it in
its docstring.
"""

import ast
import difflib
import runpy
from pathlib import Path

from flaxgan.config import Config
from flaxgan.system.errors import UserError


def _files() -> dict[str, Path]:
    """Name -> file. A wheel has them beside this one, a clone in experiments/."""
    here = Path(__file__).parent
    found = list(here.glob("[a-z]*.py")) or here.parents[1].glob("experiments/[a-z]*.py")
    return {file.stem: file for file in sorted(found)}


def summaries() -> dict[str, str]:
    """Name -> first line of its docstring, of all recipes. None of them is run."""
    docstrings = {
        name: ast.get_docstring(ast.parse(file.read_bytes())) or ""
        for name, file in _files().items()
    }
    return {name: text.partition("\n")[0] for name, text in docstrings.items()}


def open_recipe(name: str) -> tuple[Config, str]:
    """Run a recipe's file -> its CONFIG and its docstring.

    Raises UserError if there is none of that name.
    """
    files = _files()
    if name not in files:
        near = difflib.get_close_matches(name, files, 3)
        raise UserError(
            f"--recipe {name!r}: there is no such recipe"
            + (f"; did you mean {' or '.join(near)}?" if near else ".")
            + f" There are {', '.join(files)}"
        )
    recipe = runpy.run_path(str(files[name]))
    return recipe["CONFIG"], recipe["__doc__"]
