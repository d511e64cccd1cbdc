"""Read what the folder of a trained run says of it: its configuration and its data."""

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from flaxgan.config import Config
from flaxgan.data import steps_per_epoch
from flaxgan.data.captions import Prompts
from flaxgan.methods.conditions import Conditions
from flaxgan.pretrained import minilm
from flaxgan.runs.metrics_log import METRICS_FILE
from flaxgan.runs.provenance import require_this_version
from flaxgan.runs.schema import LARGEST, parsed
from flaxgan.system.arrays import UNREADABLE, read_npz
from flaxgan.system.errors import UserError
from flaxgan.system.files import read_text, replacing, require_outside

PROMPTS_FILE = "captions.npz"  # of a run that learns sentences: some of them, encoded
LARGEST_PROMPTS = 2**27  # bytes
REFERENCES_FILE = "references.json"  # what real pictures have, beside the log's evaluations
RUN_FILES = (  # files and folders of a run, which it writes and reads alone
    *("config.json", METRICS_FILE, "checkpoints", "best_checkpoint"),
    *("generated_images", "real_images.png", "real_vs_generated.png", "losses.png"),
    *("report.html", REFERENCES_FILE, PROMPTS_FILE, "tensorboard"),
)


class TrainedRun(NamedTuple):
    """Hold what sampling and evaluation know of a run."""

    folder: Path
    config: Config
    # how many images of each class it was trained on; empty if they have none
    class_counts: dict[str, int]
    sha256: str | None  # of those images
    num_images: int | None  # how many there were; None if config.json doesn't say
    # what was black and white in those that are translated, if they had more than 8 bits
    values: tuple[float, float] | None = None
    prompts: Prompts | None = None  # sentences of those images, if it learnt some and has them

    @property
    def conditions(self) -> Conditions:
        """Return what it can be asked for: classes, or sentences.

        Raises UserError if it has lost them.
        """
        if self.config.condition == "text" and self.prompts is None:
            raise UserError(
                f"{self.folder} has no {PROMPTS_FILE}, its sentences; resume it, which writes them,"
                " or say what is shown with --prompt"
            )
        return self.prompts or self.class_counts

    @property
    def per_epoch(self) -> int | None:
        """Return the steps of an epoch, or None if `num_images` is not known."""
        if self.num_images is None:
            return None
        return steps_per_epoch(self.num_images, self.config.images_per_step)


def load_run(run_dir: Path) -> TrainedRun:
    """Return what is known of the run in a folder. Raises UserError if it is no run."""
    run = run_of(*read_config(run_dir), run_dir)
    has_prompts = run.config.condition == "text" and (run_dir / PROMPTS_FILE).exists()
    return run._replace(prompts=read_prompts(run_dir)) if has_prompts else run


def write_prompts(run_dir: Path, prompts: Prompts) -> None:
    """Write what a run can be asked for, encoded, so that no encoder is needed to sample it."""
    path = run_dir / PROMPTS_FILE
    with replacing(path) as temporary, temporary.open("wb") as file:
        texts = np.frombuffer(json.dumps(prompts.texts).encode(), np.uint8)
        labels = np.zeros(0, np.int32) if prompts.labels is None else prompts.labels
        shown = np.int64(prompts.shown)
        np.savez(file, texts=texts, vectors=prompts.vectors, shown=shown, labels=labels)


def read_prompts(run_dir: Path) -> Prompts:
    """Read what write_prompts wrote. Raises UserError if it is not there, or is something else."""
    path = run_dir / PROMPTS_FILE
    try:
        saved = read_npz(path, LARGEST_PROMPTS)
        vectors, shown, labels = saved["vectors"], int(saved["shown"]), saved["labels"]
        texts = json.loads(saved["texts"].tobytes())
        right = isinstance(texts, list) and all(isinstance(text, str) for text in texts)
        right &= vectors.shape == (len(texts), minilm.DIM) and vectors.dtype == np.float32
        if not right or not 0 < shown < len(texts):
            raise ValueError("it holds something else")
        if (
            labels.dtype != np.int32
            or labels.shape not in ((0,), (len(texts),))
            or (labels < 0).any()
        ):
            raise ValueError("its classes are no such")
        return Prompts(tuple(texts), vectors, shown, labels if len(labels) else None)
    except (*UNREADABLE, RecursionError) as error:
        raise UserError(f"{path} can't be read: {error}; bring it back as it was") from error


def run_of(saved: dict[str, Any], config: Config, run_dir: Path) -> TrainedRun:
    """Return what a config.json, and the configuration in it, say of a run."""
    data = saved.get("data", {})
    names = data.get("class_names", ())
    counts = dict(zip(names, data.get("class_counts", ()), strict=True))
    low_high = data.get("values")
    values = (float(low_high[0]), float(low_high[1])) if low_high else None
    return TrainedRun(run_dir, config, counts, data.get("sha256"), data.get("images"), values)


def require_apart(output: Path, run_dir: Path, config: Config) -> None:
    """Raise UserError if --output is a file of the run, or lies among its files or images."""
    files = [*(run_dir / name for name in RUN_FILES), *config.image_folders]
    require_outside(output, files, "which belongs to the run")


def read_references(run_dir: Path) -> dict[str, Any]:
    """Return the references of a run's last evaluation, and its caveats; empty if not known."""
    found: dict[str, Any] = {"references": {}, "caveats": []}
    with contextlib.suppress(OSError, ValueError, RecursionError):
        saved = json.loads(read_text(run_dir / REFERENCES_FILE, LARGEST))
        if isinstance(saved, dict):
            numbers, texts = saved.get("references"), saved.get("caveats")
            if isinstance(numbers, dict):
                found["references"] = {
                    name: x for name, x in numbers.items() if type(x) in (int, float)
                }
            if isinstance(texts, list):
                found["caveats"] = [text for text in texts if isinstance(text, str)]
    return found


def read_config(run_dir: Path, any_version: bool = False) -> tuple[dict[str, Any], Config]:
    """Return config.json as it is, and the configuration in it.

    With `any_version` also that of a run whose checkpoints this version can't read.
    Raises UserError if there is none, or if it says what no run says.
    """
    path = run_dir / "config.json"
    try:
        return parsed_config(read_text(path, LARGEST), run_dir, any_version)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(
            f"{run_dir} is no run of flaxgan: there is no {path}; name a run's folder"
        ) from error
    except UserError as error:
        raise UserError(f"{path} can't be read: {error}") from error
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} can't be read: {error}; bring it back as it was, or take another run"
        ) from error


def parsed_config(
    text: str, run_dir: Path, any_version: bool = False
) -> tuple[dict[str, Any], Config]:
    """Return the content of a config.json, and the configuration in it.

    Raises UserError if another version wrote it, unless `any_version`; and ValueError, of which
    that is one, if it says what no run says.
    """
    try:
        saved = parsed(text)
        if missing := {"dataset", "image_size", "channels"} - saved.keys():
            raise ValueError(f"it does not say {', '.join(sorted(missing))}")
        if not any_version:
            require_this_version(saved)
        return saved, Config.from_dict(saved, run_dir=str(run_dir))
    except (TypeError, AttributeError) as error:
        raise ValueError(str(error)) from error
