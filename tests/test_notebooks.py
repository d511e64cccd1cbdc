"""The tutorials run from a clean kernel, and show something in each cell that promises it."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.compiling import DEVICES, QUICK
from tests.conftest import ROOT

needs_kernel = pytest.mark.skipif(
    not (find_spec("nbclient") and find_spec("ipykernel")),
    reason="pip install -e '.[test]' brings what runs them",
)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXECUTE = """
import asyncio, sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""


# A cell that trains; it is interrupted when it has printed its first row, and run again.
INTERRUPT = """
import sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3")
printed = []
def hear(message):
    text = message["content"].get("text", "") or "\\n".join(message["content"].get("traceback", ""))
    printed.append(text)
    if "ROW 3\\n" in text and len(asked) == 1:
        manager.interrupt_kernel()
asked = []
for cell in [sys.argv[1]] * 2:
    asked.append(cell)
    client.execute_interactive(cell, timeout=300, output_hook=hear)
    printed.append("CELL ENDED\\n")
client.stop_channels()
manager.shutdown_kernel()
sys.stdout.write("".join(printed))
"""
CELL = """
import flaxgan, numpy
run = flaxgan.train(
    numpy.random.default_rng(0).integers(0, 256, (16, 16, 16, 3), "uint8"), run_dir="run",
    preset="plain", features=4, latent_dim=8, batch_size=8, max_steps=400, log_every=1,
    on_log=lambda row: print("ROW", row["step"]) if row["step"] < 4 else None,
)
print("STEPS", run.finished, [row["step"] for row in run.history.rows] == [*range(1, run.step + 1)])
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
@needs_kernel
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


@pytest.mark.slow
@needs_kernel
def test_interrupting_the_kernel_saves_and_the_same_cell_goes_on(tmp_path):
    quick = {"XLA_FLAGS": f"{DEVICES}=1 {QUICK}", "PYTHONPATH": str(ROOT)}
    environment = os.environ | quick
    command = [sys.executable, "-c", INTERRUPT, CELL]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second, _ = done.stdout.split("CELL ENDED\n")
    assert "Traceback" not in done.stdout and "to resume:\nflaxgan.train(run_dir=" in first
    assert "STEPS False True" in first and "STEPS True True" in second
