"""The tutorials run from a clean kernel, and show something in each cell that promises it."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest
from conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXECUTE = """
import asyncio, sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_output_is_stored(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert (
        notebook["nbformat"] == 4
        and code
        and not any(cell["outputs"] or cell["execution_count"] for cell in code)
    )


@pytest.mark.slow
@pytest.mark.skipif(
    not (find_spec("nbclient") and find_spec("ipykernel")),
    reason="pip install -e '.[test]' brings what runs them",
)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_tutorial_runs_from_a_clean_kernel(path, tmp_path):
    environment = os.environ | {
        "XLA_FLAGS": "",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    command = [sys.executable, "-c", EXECUTE, str(path), str(tmp_path / "done.ipynb")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    cells = [
        cell
        for cell in json.loads((tmp_path / "done.ipynb").read_text())["cells"]
        if cell["cell_type"] == "code"
    ]
    outputs = [output for cell in cells for output in cell["outputs"]]
    text = "".join("".join(output.get("text", "")) for output in outputs)
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2
    assert (
        "flaxgan: starting" in text and "finished" in text + "ended after" and "Warning" not in text
    )
    assert "step/s" in text, "a bar has moved"
