"""The kinds of faults. Each function puts one in, and raises where what must hold does not."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from PIL import Image

import flaxgan
from flaxgan.data.array import read_arrays
from flaxgan.data.cache import prepare
from flaxgan.data.folder import open_folder
from flaxgan.runs.history import History
from flaxgan.runs.trained import load_run
from flaxgan.system.errors import UserError
from tests.faults.configurations import changed, content
from tests.faults.damage import damage
from tests.faults.house import House, call, require_same_run, rows, start, state
from tests.faults.saved import latents, sentences

Rng = np.random.Generator


def _any_file(folder: Path, rng: Rng) -> Path:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return files[rng.integers(len(files))]


def checkpoint(rng: Rng, house: House, folder: Path) -> None:
    """A checkpoint's damage is named, or is none."""
    run = shutil.copytree(house.run, folder / "run")
    newest = max((run / "checkpoints").iterdir(), key=lambda path: int(path.name))
    damage(_any_file(newest, rng), rng)
    with contextlib.suppress(UserError):
        got, want = state(run), state(house.run)
        if got[".step"] == want[".step"]:
            assert all(np.array_equal(got[name], x) for name, x in want.items())


def picture_cache(rng: Rng, house: House, folder: Path) -> None:
    """Prepared pictures that were damaged are prepared anew."""
    want = np.array(prepare(open_folder(house.pictures), (16, 16), 3).images)
    cache = Path(os.environ["FLAXGAN_CACHE"], "data")
    damage(_any_file(cache, rng), rng)
    again = prepare(open_folder(house.pictures), (16, 16), 3)
    assert np.array_equal(again.images, want)


def log(rng: Rng, house: House, folder: Path) -> None:
    """A damaged log loses rows, and neither the run nor its curves."""
    run = shutil.copytree(house.run, folder / "run")
    damage(run / "metrics.jsonl", rng)
    with contextlib.suppress(UserError):
        History.read(run)
    status, said = call("--run-dir", run, "--max-steps", 11)
    assert status == 0 and "Traceback" not in said, said
    assert state(run)[".step"] == 11 and rows(run)[-1]["step"] == 11


def configuration(rng: Rng, house: House, folder: Path) -> None:
    """A changed config.json is read, or refused in a line."""
    (folder / "config.json").write_text(json.dumps(changed(content("gan"), rng)))
    with contextlib.suppress(UserError):
        load_run(folder)
    shutil.copy(house.run / "config.json", folder)
    damage(folder / "config.json", rng)
    with contextlib.suppress(UserError):
        load_run(folder)


def pictures(rng: Rng, house: House, folder: Path) -> None:
    """A damaged picture is skipped, or drawn as far as it goes."""
    for name in ("a.png", "b.jpg", "c.webp", "d.gif", "e.tif", "f.bmp", "g.tga", "h.png"):
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)).save(folder / name)
    for _ in range(4):
        damage(_any_file(folder, rng), rng)
    with contextlib.suppress(UserError):  # if none is left
        images = prepare(open_folder(folder), (16, 16), 3).images
        assert images.shape[1:] == (16, 16, 3) and images.dtype == np.uint8


def arrays(rng: Rng, house: House, folder: Path) -> None:
    """A damaged file of arrays is read, or refused in a line."""
    images = rng.integers(0, 256, (3, 8, 8, 3), np.uint8)
    np.save(folder / "a.npy", images)
    np.savez(folder / "b.npz", images=images, labels=np.arange(3))
    path = _any_file(folder, rng)
    damage(path, rng)
    with contextlib.suppress(UserError):
        assert read_arrays(path).images.dtype == np.uint8


def shared_file(rng: Rng, house: House, folder: Path) -> None:
    """A damaged generator.safetensors is refused in a line, or is the one that was written."""
    whole = house.run.parent / "generator.safetensors"
    if not whole.exists():
        flaxgan.load(house.run).export(whole.parent, "safetensors")
    path = folder / whole.name
    shutil.copy(whole, path)
    damage(path, rng)
    with contextlib.suppress(UserError):
        found, wanted = (flaxgan.load(file).generators["result"] for file in (path, whole))
        leaves = zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
        assert all(np.array_equal(a, b) for a, b in leaves)


def _wait_a_while(process: subprocess.Popen[str], rng: Rng) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(rng.uniform(0.5, 12))


def killed(rng: Rng, house: House, folder: Path) -> None:
    """A run that was killed at any time goes on as one that was not."""
    argv = (*house.flags, "--run-dir", folder / "run")
    process = start(*argv)
    _wait_a_while(process, rng)
    process.kill()
    process.communicate()
    _, error = start(*argv).communicate(timeout=300)
    assert not error, error
    require_same_run(folder / "run", house)


def signalled(rng: Rng, house: House, folder: Path) -> None:
    """A run that was told to end, once or thrice, says so without a traceback, and goes on."""
    argv = (*house.flags, "--run-dir", folder / "run")
    process = start(*argv)
    _wait_a_while(process, rng)
    number = rng.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    for _ in range(rng.choice([1, 3])):
        process.send_signal(number)
        time.sleep(0.01)
    _, error = process.communicate(timeout=120)
    assert "Traceback" not in error or "import" in error, error
    _, error = start(*argv).communicate(timeout=300)
    assert not error, error
    require_same_run(folder / "run", house)


def _limited(limit: str, house: House, folder: Path) -> None:
    """Train under a limit of the shell, then without; both must hold what the kinds below say."""
    argv = (*house.flags, "--run-dir", folder / "run")
    process = start(*argv, limit=limit)
    _, error = process.communicate(timeout=300)
    assert "Traceback" not in error, error
    assert process.returncode == 0 or error.count("flaxgan: error: ") == 1, error
    _, error = start(*argv).communicate(timeout=300)
    assert "Traceback" not in error, error
    require_same_run(folder / "run", house)


def file_size(rng: Rng, house: House, folder: Path) -> None:
    """A file that may not grow is a line, and the run goes on once it may."""
    _limited(f"-f {rng.integers(1, 200)}", house, folder)


def open_files(rng: Rng, house: House, folder: Path) -> None:
    """Too few files that may be open are a line, and the run goes on once there may be more."""
    _limited(f"-n {rng.integers(9, 24)}", house, folder)


def lost_process(rng: Rng, house: House, folder: Path) -> None:
    """Where one of two processes is killed or halts, the other says so in a line, and ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    argv = (*house.flags, "--run-dir", folder / "run", "--max-steps", 10**6, "--distributed")
    argv += ("--coordinator-address", address, "--num-processes", 2, "--process-id")
    pair = [start(*argv, number) for number in range(2)]
    time.sleep(rng.uniform(6, 20))
    lost, left = pair if rng.integers(2) else pair[::-1]
    lost.send_signal(rng.choice([signal.SIGKILL, signal.SIGSTOP]))
    try:
        _, error = left.communicate(timeout=90)
        assert left.returncode == 2 and error.count("flaxgan: error: ") == 1, error
        assert "lost another process" in error and "Traceback" not in error, error
    finally:
        for process in pair:
            process.kill()
            process.communicate()


KINDS: dict[str, Callable[[Rng, House, Path], None]] = {
    kind.__name__: kind
    for kind in (
        *(checkpoint, picture_cache, log, configuration, pictures, arrays, shared_file),
        *(latents, sentences),
        *(killed, signalled, file_size, open_files, lost_process),
    )
}
