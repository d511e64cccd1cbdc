"""Kinds of faults in what is saved beside a run: latents, and a run's sentences."""

import contextlib
from pathlib import Path

import numpy as np

from flaxgan.data.captions import Prompts
from flaxgan.latent_files import read_latents, save_latents
from flaxgan.methods.projection import Projection
from flaxgan.pretrained import minilm
from flaxgan.runs.trained import PROMPTS_FILE, read_prompts, write_prompts
from flaxgan.system.errors import UserError
from tests.faults.damage import damage
from tests.faults.house import House


def latents(rng: np.random.Generator, house: House, folder: Path) -> None:
    """A damaged file of latents is refused in a line, or its latents are as they were written."""
    rows = rng.normal(size=(2, 3, 8)).astype(np.float32)
    images = np.zeros((2, 8, 8, 3), np.uint8)
    found = Projection(
        "w", rows, np.array([4, 5], np.int32), images, np.zeros(2), np.zeros(2), images[:, None]
    )
    path = folder / "a.npz"
    save_latents(path, found, 1, 70)
    damage(path, rng)
    with contextlib.suppress(UserError):
        saved = read_latents(path)
        assert np.array_equal(saved.latents, rows[1:])
        assert saved.labels is None or saved.labels == [5]
        assert saved.step in (None, 70)


def sentences(rng: np.random.Generator, house: House, folder: Path) -> None:
    """A run's damaged sentences are refused in a line, or read as they were written."""
    texts = ("a red rose", "eine blaue Iris, 花", 'a "daisy" \N{CHERRY BLOSSOM}')
    vectors = rng.normal(size=(3, minilm.DIM)).astype(np.float32)
    write_prompts(folder, Prompts(texts, vectors, 1))
    damage(folder / PROMPTS_FILE, rng)
    with contextlib.suppress(UserError):
        saved = read_prompts(folder)
        assert saved.texts == texts and saved.shown == 1 and saved.labels is None
        assert np.array_equal(saved.vectors, vectors)
