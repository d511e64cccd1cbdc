"""What the faults are put into: pictures, a finished run of them, and ways to start flaxgan."""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
from PIL import Image

from flaxgan.main import main
from flaxgan.runs.loading import load
from flaxgan.runs.trained import load_run

ROOT = Path(__file__).parents[2]
STEPS = 10
TINY = (
    *("--preset", "plain", "--image-size", "16", "--features", "4", "--latent-dim", "8"),
    *("--batch-size", "8", "--log-every", "1", "--checkpoint-every", "2 steps"),
    *("--keep-checkpoints", "5"),  # all: of one that is gone no picture can be drawn any more
)


class House(NamedTuple):
    """Hold a folder of pictures, and a run of STEPS steps on them that nothing disturbed."""

    pictures: Path
    run: Path

    @property
    def flags(self) -> list[str]:
        return ["--dataset", str(self.pictures), "--max-steps", str(STEPS), *TINY]


def build(folder: Path) -> House:
    """Draw pictures, and train the run in another process, as those that are disturbed."""
    house, rng = House(folder / "pictures", folder / "run"), np.random.default_rng(0)
    house.pictures.mkdir()
    for i in range(24):
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(
            house.pictures / f"{i}.png"
        )
    _, error = start(*house.flags, "--run-dir", house.run).communicate(timeout=300)
    assert not error, error
    return house


def start(*argv: object, limit: str = "") -> subprocess.Popen[str]:
    """Start a training as a command, perhaps under a limit of the shell, as `-f 100`."""
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "flaxgan.main", *map(str, argv)]
    if limit:
        command = ["bash", "-c", f'ulimit {limit}; exec "$@"', "bash", *command]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe, text=True, bufsize=-1
    )


def call(*argv: object) -> tuple[int, str]:
    """Train in this process: exit status, and what was said on standard error."""
    said, status = io.StringIO(), 0
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        try:
            main([str(x) for x in argv])
        except SystemExit as error:
            status = int(error.code or 0)
    return status, said.getvalue()


def state(run: Path) -> dict[str, np.ndarray]:
    """Return what the newest checkpoint of a run holds."""
    tree = load(load_run(run), None, jax.devices()[0])
    return {
        jax.tree_util.keystr(path): np.asarray(x) for path, x in jax.tree.leaves_with_path(tree)
    }


def require_same_run(run: Path, house: House) -> None:
    """Assert that a run ended as the undisturbed one did: state, log and pictures."""
    got, want = state(run), state(house.run)
    wrong = [name for name, x in want.items() if not np.array_equal(got[name], x)]
    assert not wrong, f"{len(wrong)} arrays differ, as {wrong[0]}"
    assert rows(run) == rows(house.run), "the log differs"
    for grid in (house.run / "generated_images").iterdir():
        other = run / "generated_images" / grid.name
        assert other.read_bytes() == grid.read_bytes(), f"{grid.name} differs"
    assert not [*run.rglob(".*.tmp")], "temporary files are left"


def rows(run: Path) -> list[dict[str, object]]:
    """Return the rows of a log, but for times."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [
        {k: v for k, v in json.loads(line).items() if k not in ("time", "images_per_second")}
        for line in lines
    ]
