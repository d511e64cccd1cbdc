"""What a program or a notebook calls: import flaxgan.

Each function imports what it takes when it is called.
"""

import dataclasses
import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flaxgan.system.errors import UserError, explaining_limits, say

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from flaxgan.data.source import Source
    from flaxgan.model import Model
    from flaxgan.run import Run

PathLike = str | os.PathLike[str]
Images = Any  # a folder, a .npy or .npz, or an array of uint8 (N, H, W, C)


def train(
    dataset: "PathLike | np.ndarray | Source | None" = None,
    labels: "Sequence[int] | np.ndarray | None" = None,
    class_names: Sequence[str] = (),
    *,
    recipe: str | None = None,
    config: PathLike | None = None,
    on_log: Callable[[dict[str, Any]], None] | None = None,
    on_snapshot: "Callable[[np.ndarray, int], None] | None" = None,
    **fields: Any,
) -> "Run":
    """Train a new run, or go on with the one in `run_dir`; return it, finished or interrupted.

    `dataset`: a folder of pictures, a .npy or .npz file, the name of a TFDS data set, an array of
    uint8 (N, H, W, C) or (N, H, W) with `labels`, whole numbers (N,), and `class_names` if it has
    classes, or a data set of your own; with method="cut" or "cyclegan" `target` takes the same.
    `fields`: the flags of the command line by name, as
    image_size=64, epochs=25, run_dir="runs/mine". `recipe`: the name of a measured configuration,
    and `config`: another run's config.json; a new run starts from it. `on_log`: is called with each
    row of the log. `on_snapshot`: with generated images, uint8 (64, H, W, C), and their step.

    Ctrl-C, or interrupting the kernel, saves the run and returns it. Raises UserError, a
    ValueError, for what can be mended.
    """
    say("flaxgan: starting ...", flush=True)  # the imports take seconds
    from flaxgan import starting
    from flaxgan.config import renamed
    from flaxgan.runs.caller import PYTHON

    if fields.get("target") is not None:
        fields["target"] = starting.named(fields["target"], None, ())
    given = {name: starting.plain(name, x) for name, x in fields.items() if x is not None}
    if dataset is not None:
        given["dataset"] = starting.named(dataset, labels, class_names)
    if dataset is None and (labels is not None or len(class_names)):
        raise UserError(
            "labels and class_names belong to a dataset that is an array; give that too"
        )
    given = renamed(given)
    starting.require_known(given)
    base = starting.base_fields(recipe, Path(config) if config else None, given)
    arguments = ", ".join(f"{name}={value!r}" for name, value in given.items())
    caller = dataclasses.replace(
        PYTHON, command=f"flaxgan.train({arguments})", on_log=on_log, on_snapshot=on_snapshot
    )
    return starting.start(given, base, caller)


def load(
    run_dir: PathLike, checkpoint: str | int | None = None, *, device: str = "auto"
) -> "Model":
    """Load the generator of a run, or of a .safetensors that model.export wrote, to sample from.

    `checkpoint`: "best", which evaluation chose; a step, as 5000; an epoch, as "epoch:20"; None is
    the newest. Raises UserError if the folder is no run, or has no such checkpoint, and for a file
    that is not what an export writes; no code in it can run.
    """
    from flaxgan.model import Model

    return Model(Path(run_dir), checkpoint, device)


def evaluate(
    run_dir: PathLike | None = None,
    *,
    real: Images | None = None,
    generated: Images | None = None,
    metrics: str | Sequence[str] | None = None,
    checkpoint: str | int | None = None,
    num: int | None = None,
    num_real: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    seed: int = 0,
    extractor: str | Sequence[str] = "efficientnet_lite0",
    inception_weights: str | None = None,
    dinov2_weights: str | None = None,
    repeat: int = 1,
    data_dir: str | None = None,
    device: str = "auto",
    output: PathLike | None = None,
) -> dict[str, Any]:
    """Measure a run's images against its training data, or any two sets of images.

    Returns what the JSON file has: a dict with "protocol", "real", "generated", "metrics" (each
    with its "value" and "reference") and "caveats". `real`, `generated`: a folder, a .npy or .npz,
    or an array of uint8 (N, H, W, C), instead of the run's. `metrics`: some of fd, kid, precision,
    recall, ... (default: all that apply). The others are as the flags of python -m
    flaxgan.evaluate; `output`: a .json file to write, with pictures beside it. `repeat`: measure so
    many sets of samples, of the seeds from `seed` on: values are their means, with a "spread".

    Raises UserError if the sets can't be read or compared.
    """
    _require_sets(
        run_dir is not None, real is not None, generated is not None, checkpoint, image_size
    )
    from flaxgan.measure import compare
    from flaxgan.pretrained.extractor import open_extractors
    from flaxgan.system.devices import explaining_out_of_memory

    names_of_extractors = extractor if isinstance(extractor, str) else ",".join(extractor)
    with explaining_limits(), explaining_out_of_memory():
        names = metrics.split(",") if isinstance(metrics, str) else metrics
        return compare(
            None if run_dir is None else Path(run_dir).expanduser(),
            *(
                Path(x).expanduser() if isinstance(x, str | os.PathLike) else x
                for x in (real, generated)
            ),
            metrics=None if names is None else [*names],
            checkpoint=checkpoint,
            num=num,
            num_real=num_real,
            image_size=(image_size, image_size) if isinstance(image_size, int) else image_size,
            seed=seed,
            extractors=functools.partial(
                open_extractors, names_of_extractors, inception_weights, dinov2_weights
            ),
            repeat=repeat,
            data_dir=data_dir,
            device=device,
            output=None if output is None else Path(output).expanduser(),
        )


def discriminator_accuracy(
    model: "Model", real: Any, generated: Any, *, seed: int = 0
) -> dict[str, float]:
    """Return the discriminator's accuracy on real and on generated images, each from 0 to 1.

    `real`, `generated`: arrays of uint8 (N, H, W, C) of the run's size; of a conditional run,
    tuples (images, labels). 0.5 for both is a discriminator that guesses. It sees images as in
    training: in batches of one kind, and augmented. Raises UserError for images of another size, or
    without labels where there are classes.
    """
    from flaxgan.measure import discriminator_accuracy
    from flaxgan.system.devices import explaining_out_of_memory

    with explaining_out_of_memory():
        return discriminator_accuracy(model, real, generated, seed)


def grid(images: "np.ndarray", columns: int | None = None, scale: int = 1) -> "Image.Image":
    """Lay images beside each other; return a Pillow image, which a notebook shows.

    `images`: uint8 (N, H, W, C) or (N, H, W). `columns`: how many beside each other (default: as
    square as it gets). `scale`: how many times as large they are.
    """
    from PIL import Image

    from flaxgan.data.array import checked
    from flaxgan.plots import enlarged, grid

    sheet = grid(enlarged(checked(images).images, scale), columns)
    return Image.fromarray(sheet.squeeze(-1) if sheet.shape[-1] == 1 else sheet)


def _require_sets(run: bool, real: bool, generated: bool, checkpoint: Any, image_size: Any) -> None:
    """Raise UserError if evaluate's arguments name too few sets, or contradict each other."""
    if not run and not (real and generated):
        raise UserError("name a RUN_DIR, or both --real and --generated")
    if generated and checkpoint is not None:
        raise UserError(
            "--checkpoint says which samples of the run, and --generated names other pictures;"
            " leave one out"
        )
    if image_size and not (real or generated):
        raise UserError(
            "--image-size is for the folders that --real and --generated name; leave it out"
        )
