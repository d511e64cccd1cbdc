"""Open the sets of images that can be compared: a run's data, its samples, a folder, an array."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from flaxgan.config import Config
from flaxgan.data import Dataset, open_data, prepare, prepare_data
from flaxgan.data.array import Arrays, checked, is_array_file, read_arrays
from flaxgan.data.folder import open_folder
from flaxgan.data.pixels import upright_size
from flaxgan.data.source import Source, Unreadable
from flaxgan.methods import method_of
from flaxgan.methods.conditions import Conditions
from flaxgan.models.growth import resolution
from flaxgan.rng import SAMPLING
from flaxgan.system.errors import UserError

MOST = 10_000  # images of a set, unless more are asked for
SELECTION_SEED = 0  # of the images that are taken where there are more


@dataclasses.dataclass(frozen=True)
class ImageSet:
    """Hold images to be compared, their labels if they have some, and where they come from."""

    images: np.ndarray  # uint8 (N, H, W, C)
    sha256: str  # tells them from all others
    protocol: dict[str, Any]  # where they come from
    labels: np.ndarray | None = None  # int (N,)
    class_names: tuple[str, ...] = ()
    text: np.ndarray | None = None  # float32 (N, D): a sentence of each, encoded, if they have some
    items: np.ndarray | None = None  # int64 (N,): which of the data's items they are, if known

    @property
    def total(self) -> int:
        """Return how many there were to choose these from."""
        return self.protocol.get("of", len(self))

    def __len__(self) -> int:
        return len(self.images)


def described(protocol: dict[str, Any]) -> str:
    """Return in a line what a set of images is."""
    return ", ".join(f"{name} {value}" for name, value in protocol.items() if name != "sha256")


def _select(
    dataset: Dataset, num: int | None, protocol: dict[str, Any], own: bool = False
) -> ImageSet:
    """Select `num` images of a set, or all up to MOST, in a random order, always the same.

    If they are a run's `own`, the set knows which of its items they are.
    """
    total = len(dataset)
    if total < 2:
        raise UserError(f"{protocol['source']} holds one picture; a comparison takes at least two")
    num = min(num or MOST, total)
    order = np.random.default_rng(SELECTION_SEED).permutation(total)[:num]
    images, rows = dataset.images, dataset.base_rows(order)
    key = json.dumps([dataset.sha256, images.shape, num, SELECTION_SEED])
    size, captions = "x".join(map(str, images.shape[1:])), dataset.captions
    return ImageSet(
        images[order],
        hashlib.sha256(key.encode()).hexdigest(),
        protocol | {"images": num, "of": total, "size": size, "sha256": dataset.sha256},
        dataset.labels[order] if dataset.class_names else None,
        dataset.class_names,
        None if captions is None else np.asarray(captions.vectors[captions.rows(rows)]),
        dataset.items[rows] if own and dataset.items is not None else None,
    )


def training_set(config: Config, dataset: Dataset, num: int | None = None) -> ImageSet:
    """Return the images that a run is trained on, or some of them."""
    protocol = {"source": config.dataset, "split": config.split or "all"}
    return _select(dataset, num, protocol, own=True)


def open_training_set(
    config: Config, sha256: str | None, data_dir: str | None, num: int | None, caveats: list[str]
) -> ImageSet:
    """Open the images that a run was trained on, whose digest was `sha256`.

    Adds to `caveats` if it is another now. Raises UserError if they are no longer there.
    """
    if config.image_folder and not os.path.exists(config.image_folder):
        raise UserError(
            f"the run's pictures are no longer in {config.dataset}; name them, or others to compare"
            " with, with --real"
        )
    config = config.replace(data_dir=data_dir or config.data_dir)
    source = open_data(config)
    dataset = prepare_data(config, source)
    if dataset.sha256 != sha256:
        caveats.append(
            f"the pictures in {source.title} are no longer the ones that {config.run_dir} was"
            " trained on"
        )
    return training_set(config, dataset, num)


def sampled_set(
    state: Any,
    config: Config,
    conditions: Conditions,
    seed: int,
    num: int,
    stream: int = SAMPLING,
    class_names: tuple[str, ...] = (),
) -> ImageSet:
    """Sample `num` images from the generator of a state.

    If it is conditional, classes or sentences are as frequent as `conditions` says; `class_names`
    are those of the training data.
    """
    method = method_of(config)
    batch = method.inputs(config, conditions, seed, num, stream=stream)
    images = method.sampler(state, config, conditions)(batch)
    protocol = {"source": "samples", "step": int(state.step), "seed": seed, "images": num}
    if side := resolution(config, int(state.step)):
        protocol["resolution"] = side
    protocol["size"] = "x".join(map(str, images.shape[1:]))
    labels = batch.get("label", batch.get("class"))
    return ImageSet(images, "", protocol, labels, class_names, batch.get("text"))


def open_set(
    images: Path | np.ndarray | Arrays,
    num: int | None,
    image_size: tuple[int, int] | None,
    like: Config | None = None,
) -> ImageSet:
    """Open a folder of images, or arrays in memory or in a file.

    A folder's images are fitted to `image_size`, or must be of one size without it. `like` is a
    run's configuration, whose size, fit and channels they then get. Raises UserError for anything
    else.
    """
    if isinstance(images, Path) and not is_array_file(images):
        source = open_folder(images)
        size = image_size or (like.image_size if like else _common_size(source))
        channels, fit = (like.channels, like.fit) if like else (source.channels, "crop")
        return _select(prepare(source, size, channels, fit), num, {"source": str(images)})
    if isinstance(images, Path):
        where, arrays = str(images), read_arrays(images)
    else:
        where, arrays = "an array", images if isinstance(images, Arrays) else checked(images)
    height, width = arrays.images.shape[1:3]
    if image_size and (height, width) != image_size:
        raise UserError(
            f"{where} holds pictures of {height}x{width}, and arrays are not resized; leave"
            " --image-size out"
        )
    return _select(Dataset.of(*arrays, arrays.sha256), num, {"source": where})


def _common_size(source: Source) -> tuple[int, int]:
    sizes = set()
    for i in range(len(source)):
        try:
            picture, _ = source.read(i)
        except Unreadable:
            continue  # `prepare` names it
        sizes.add(upright_size(picture))
        if len(sizes) > 1:
            (height, width), (other_height, other_width) = sorted(sizes)
            raise UserError(
                f"the pictures in {source.title} differ in size ({height}x{width},"
                f" {other_height}x{other_width}, …); give --image-size, to which each is cut and"
                " shrunk as for training"
            )
    return sizes.pop() if sizes else (1, 1)  # `prepare` says that there is no picture
