"""Imports go downward only, in no circle, and have no side effects."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import flaxgan

PACKAGE = Path(flaxgan.__file__).parent
FLOORS = (  # of the house, the lowest first: folders and modules import what is below them
    {"system"},
    {"registry"},
    {"fields", "rng"},
    {"options", "shared"},
    {"config"},
    {"convolutions"},
    {"pretrained"},
    {"data", "models"},
    {"methods", "presets", "plots", "request"},
    {"curves"},
    {"outputs", "inputs", "trainer", "diagnosis", "tables", "drawing", "latent_files"},
    {"film", "metrics"},
    {"runs"},
    {"reports", "resolve", "recipes", "flags"},
    {"summary"},
    {"formats", "latents"},
    {"loop", "model"},
    {"training", "shaping", "projections"},
    {"measure", "standings"},
    {"run"},
    {"starting"},
    {"api"},
    {"__init__"},
    {"main", "sample", "translate", "evaluate", "compare", "__main__"}
    | {"export", "page", "project", "report", "video"},
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def imports():
    """(module, module that it imports) of all of flaxgan, by names with dots below flaxgan."""
    files = {
        ".".join(file.relative_to(PACKAGE).with_suffix("").parts): file
        for file in PACKAGE.rglob("*.py")
    }
    for module, file in files.items():
        for node in ast.walk(ast.parse(file.read_text())):
            targets = []
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flaxgan"):
                below = node.module.removeprefix("flaxgan").strip(".")
                targets = [f"{below}.{alias.name}".strip(".") for alias in node.names]
                targets = [
                    name if name in files else below if below in files else f"{below}.__init__"
                    for name in targets
                ]
            for target in targets:
                if target not in (".__init__", "__init__", module):
                    yield module.removesuffix(".__init__"), target.removesuffix(".__init__")


def test_every_room_imports_from_lower_floors_only():
    edges = [(a.split(".")[0], b.split(".")[0]) for a, b in imports()]
    assert len(edges) > 200, "they are found"
    assert {(a, b) for a, b in edges if a != b and FLOOR[b] >= FLOOR[a]} == set()


def test_no_module_imports_itself_in_a_circle():
    below = {}
    for a, b in imports():
        below.setdefault(a, set()).add(b)

    def visit(module, above):
        assert module not in above, f"{' -> '.join([*above, module])}"
        for other in below.pop(module, ()):
            visit(other, (*above, module))

    for module in [*below]:
        visit(module, ())


def test_no_file_is_over_250_lines():
    lines = {file.name: len(file.read_text().splitlines()) for file in PACKAGE.rglob("*.py")}
    assert not {name: count for name, count in lines.items() if count > 250}


@pytest.mark.slow
def test_importing_changes_no_global_state():
    """No logger's level, hook, limit of Pillow's or environment variable is another once all of it
    is imported.
    """
    modules = [
        f"flaxgan.{module}"
        for module, _ in imports()
        if not module.startswith(("__main__", "recipes"))
    ]
    code = f"""
import importlib, logging, os, sys
import jax, numpy, matplotlib, flax, optax, orbax.checkpoint, tqdm
from PIL import Image
def state():
    levels = {{name: logging.getLogger(name).level for name in ("", "absl", "asyncio", "jax")}}
    hooks = sys.excepthook, sys.unraisablehook
    return levels, hooks, Image.MAX_IMAGE_PIXELS, dict(os.environ), jax.config.jax_platforms
before = state()
for name in {sorted(set(modules))}:
    importlib.import_module(name)
assert state() == before, [b for a, b in zip(before, state()) if a != b]
"""
    subprocess.run([sys.executable, "-c", code], check=True)
