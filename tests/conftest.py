"""Eight virtual CPU devices, strict JAX, a picture cache of its own, and small data sets to train
on.
"""

import functools
import gc
import hashlib
import os
import subprocess
import sys
from pathlib import Path

from tests.compiling import DEVICES, QUICK

os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {DEVICES}=8 {QUICK}"
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from flaxgan.main import main
from flaxgan.methods import feature_discriminator
from flaxgan.models import feature_heads
from flaxgan.pretrained import extractor, minilm, perceptual
from flaxgan.sample import main as sample_main
from flaxgan.system.devices import on_cpu, set_up_devices

# tracing makes objects by the million, and the collector looked at all of them again and again
gc.set_threshold(100_000, 50, 100)

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("FLAXGAN_TEST_DATA", ROOT.parent / "shared" / "data"))
TINY = [
    "--preset",
    "plain",
    "--image-size",
    "16",
    "--features",
    "4",
    "--latent-dim",
    "8",
    "--batch-size",
    "8",
]

SAVEFIG = Figure.savefig

# Begun first: one that was begun last would keep one of the workers waiting.
LONGEST = ("train", "experiments", "hosts", "notebooks", "style", "evaluate", "translate")
LONGEST += ("translation_steps", "steps", "growth", "text")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONGEST)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    os.environ["FLAXGAN_CACHE"] = str(folder)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _quick_extractors():
    """Extractors are compiled with optimisation: they run for longer than that takes."""
    program = extractor._program.__wrapped__
    options = {"xla_backend_optimization_level": 3}

    def optimised(*args):
        return jax.jit(program(*args), compiler_options=options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extractor, "_program", functools.cache(optimised))
        yield


@pytest.fixture(scope="session", autouse=True)
def _quick_figures():
    """Figures are drawn without a search for their layout: nearly every run ends with two."""

    def as_laid_out(self, *args, **kwargs):
        self.set_layout_engine("none")
        return SAVEFIG(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", as_laid_out)
        yield


@pytest.fixture(scope="module")
def own_figures():
    """Figures are drawn as in a process of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", SAVEFIG)
        yield


def use_devices(patch, number):
    """Let commands compute on so many devices from now on."""

    def devices(device):
        found = set_up_devices(device)[:number]
        assert len(found) == number
        return found

    for module in ("flaxgan.training", "flaxgan.measure"):
        patch.setattr(f"{module}.set_up_devices", devices)


@pytest.fixture(scope="session", autouse=True)
def _one_device():
    """Commands compute on one device, as most people's do: programs for eight take longer to
    compile.
    """
    with pytest.MonkeyPatch.context() as patch:
        use_devices(patch, 1)
        yield


@pytest.fixture
def every_device(monkeypatch):
    """Commands compute on all eight devices."""
    use_devices(monkeypatch, 8)


@pytest.fixture(scope="session", autouse=True)
def _plain_convolutions():
    """Networks are made of XLA's own convolutions, which compile in a quarter of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flaxgan.convolutions.on_cpu", lambda: False)
        yield


@pytest.fixture(scope="module")
def own_convolutions():
    """Networks are made of flaxgan's convolutions, as in a process of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("flaxgan.convolutions.on_cpu", on_cpu)
        yield


@pytest.fixture(scope="session")
def real_data():
    """Real pictures: oxford_flowers102 and fashion_mnist as TFDS prepares them, and a folder of
    paintings.
    """
    if not SHARED.is_dir():
        pytest.skip(f"no real pictures in {SHARED}; FLAXGAN_TEST_DATA=FOLDER says where they are")
    return SHARED


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A folder of two classes, 20 pictures each: bright discs on dark, dark squares on bright."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:24, :24]
    for name in ("discs", "squares"):
        (folder / name).mkdir()
        for i in range(20):
            cy, cx = rng.uniform(8, 16, 2)
            inside = (
                (y - cy) ** 2 + (x - cx) ** 2 < 36
                if name == "discs"
                else np.maximum(abs(y - cy), abs(x - cx)) < 6
            )
            colours = rng.uniform((150, 0, 0), (255, 90, 90)), rng.uniform((0, 0, 0), (60, 60, 80))
            front, back = colours if name == "discs" else colours[::-1]
            Image.fromarray(np.where(inside[..., None], front, back).astype(np.uint8)).save(
                folder / name / f"{i:02d}.png"
            )
    return folder


def vector_of(text):
    """Any vector of length 1, float (D,), the same for the same text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    vector = np.random.default_rng(seed).standard_normal(minilm.DIM)
    return vector / np.linalg.norm(vector)


@pytest.fixture
def encoder(monkeypatch):
    """Instead of the published encoder: any vectors, the same for the same text."""

    def encode(texts):
        for text in texts:
            minilm.require_text(text)
        return np.stack([vector_of(text) for text in texts]).astype(np.float32)

    monkeypatch.setattr(minilm, "encode", encode)
    monkeypatch.setattr(minilm, "cached", encode)
    monkeypatch.setattr(minilm, "warn_of_unread", lambda text: None)


def maps_by_hand(variables, images):
    """Two maps that a hand can follow: a mix of channels, and its means over 2x2 pixels."""
    first = jnp.tanh(images / 255 @ variables["first"])
    n, h, w, c = first.shape
    return [first, first.reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4)) @ variables["second"]]


@pytest.fixture
def two_maps(monkeypatch):
    """Instead of the maps of nsfw_resnet50: maps_by_hand, and narrow heads for them."""
    rng = np.random.default_rng(0)
    variables = {"first": rng.normal(size=(3, 5)), "second": rng.normal(size=(5, 6))}
    variables = jax.tree.map(np.float32, variables)
    network = perceptual.Maps(lambda path: variables, maps_by_hand, (5, 6))
    monkeypatch.setitem(perceptual.NETWORKS, "nsfw_resnet50", network)
    monkeypatch.setattr(feature_heads, "WIDTH", 4)
    monkeypatch.setattr(feature_discriminator, "SIDE", 32)


@pytest.fixture
def printed(capsys):
    """Call a command in this process -> what it printed."""

    def call(command, *argv):
        command([str(arg) for arg in argv])
        return capsys.readouterr().out

    return call


@pytest.fixture
def train(printed):
    return lambda *argv: printed(main, *argv)


@pytest.fixture
def refused(capsys):
    """Call a command that must fail -> its one line of error, having checked exit status 2 and the
    absence of a traceback.
    """

    def call(*argv, command=main):
        with pytest.raises(SystemExit) as exit:
            command([str(arg) for arg in argv])
        error = capsys.readouterr().err
        assert exit.value.code == 2
        assert error.startswith("flaxgan: error: ") and error.count("\n") == 1, error
        return error

    return call


@pytest.fixture
def sample_refused(refused):
    return lambda *argv: refused(*argv, command=sample_main)


def size_of(path):
    """Of a picture: (width, height)."""
    with Image.open(path) as picture:
        return picture.size


def start(*argv, devices=1, module="flaxgan.main", environment=None, **options):
    """The command in a process of its own; `environment`: variables beside this one's."""
    flags = {"XLA_FLAGS": f"{DEVICES}={devices} {QUICK}"}
    environment = os.environ | flags | (environment or {})
    command = [sys.executable, "-m", module, *map(str, argv)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=environment, **(pipes | options))


def succeed(process):
    """Wait for it to end well."""
    error = process.communicate(timeout=300)[1]
    assert process.returncode == 0, error
