"""The sets of pictures that can be compared: a run's training data, its samples, a folder, an array."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from flaxgan.config import Config
from flaxgan.data import Dataset, open_source, prepare
from flaxgan.data.folder import open_folder
from flaxgan.data.pixels import upright_size
from flaxgan.data.source import Source, Unreadable
from flaxgan.methods import method_of
from flaxgan.rng import SAMPLING
from flaxgan.system.errors import UserError

MOST = 10_000  # pictures of a set, unless more are asked for
SELECTION_SEED = 0  # of the pictures that are taken where there are more


@dataclasses.dataclass(frozen=True)
class ImageSet:
    images: np.ndarray  # uint8 (N, H, W, C)
    sha256: str  # tells them from all others
    protocol: dict[str, Any]  # where they come from
    labels: np.ndarray | None = None  # int (N,)
    class_names: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many there were to choose these from."""
        return self.protocol.get("of", len(self))

    def __len__(self) -> int:
        return len(self.images)

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in self.protocol.items() if name != "sha256")


def _select(dataset: Dataset, num: int | None, protocol: dict[str, Any]) -> ImageSet:
    """`num` pictures of a set, or all up to MOST, in an order that is random but always the same."""
    total = len(dataset.images)
    if total < 2:
        raise UserError(f"{protocol['source']} holds one picture; a comparison takes at least two")
    num = min(num or MOST, total)
    order = np.random.default_rng(SELECTION_SEED).permutation(total)[:num]
    height, width, channels = dataset.images.shape[1:]
    return ImageSet(
        dataset.images[order],
        hashlib.sha256(json.dumps([dataset.sha256, dataset.images.shape, num, SELECTION_SEED]).encode()).hexdigest(),
        protocol | {"images": num, "of": total, "size": f"{height}x{width}x{channels}", "sha256": dataset.sha256},
        dataset.labels[order] if dataset.class_names else None,
        dataset.class_names,
    )


def training_set(config: Config, dataset: Dataset, num: int | None = None) -> ImageSet:
    """The pictures that a run is trained on."""
    return _select(dataset, num, {"source": config.dataset, "split": config.split or "all"})


def open_training_set(config: Config, sha256: str | None, data_dir: str | None, num: int | None, caveats: list[str]) -> ImageSet:
    """Open the pictures that a run was trained on, whose digest was `sha256`. Raises UserError if they are no longer there."""
    if config.image_folder and not os.path.isdir(config.image_folder):
        raise UserError(f"the run's pictures are no longer in {config.dataset}; name them, or others to compare with, with --real")
    source = open_source(config.dataset, data_dir or config.data_dir, config.split)
    dataset = prepare(source, config.image_size, config.channels, config.fit)
    if dataset.sha256 != sha256:
        caveats.append(f"the pictures in {source.title} are no longer the ones that {config.run_dir} was trained on")
    return training_set(config, dataset, num)


def sampled_set(state: Any, config: Config, class_counts: dict[str, int], seed: int, num: int, stream: int = SAMPLING) -> ImageSet:
    """Return images that a state's generator makes; if it is conditional, of classes as frequent as `class_counts` says."""
    method = method_of(config)
    batch = method.inputs(config, class_counts, seed, num, stream=stream)
    images = method.sampler(state, config, class_counts)(batch)
    protocol = {"source": "samples", "step": int(state.step), "seed": seed, "images": num}
    size = "x".join(map(str, images.shape[1:]))
    return ImageSet(images, "", protocol | {"size": size}, batch.get("label"), tuple(class_counts))


def open_set(path: Path, num: int | None, image_size: tuple[int, int] | None, like: Config | None = None) -> ImageSet:
    """A folder of pictures of one size, or of any where `image_size` is given; or a .npy of uint8 (N, H, W) or (N, H, W, 1 or 3).

    `like`: of a run, whose size, fit and channels the folder's pictures then get.

    Raises UserError for anything else.
    """
    if path.suffix.lower() == ".npy":
        dataset = _open_array(path, image_size)
    else:
        source = open_folder(path)
        size = image_size or (like.image_size if like else _common_size(source))
        channels, fit = (like.channels, like.fit) if like else (source.channels, "crop")
        dataset = prepare(source, size, channels, fit)
    return _select(dataset, num, {"source": str(path)})


def _open_array(path: Path, image_size: tuple[int, int] | None) -> Dataset:
    try:
        images = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"can't read {path} as an array of pictures: {str(error)[:200]}") from error
    if not isinstance(images, np.ndarray):
        images.close()
        raise UserError(f"{path} is an archive of arrays (.npz); write one array of pictures as .npy")
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        raise UserError(f"{path} is {images.dtype} {images.shape}; write pictures as uint8 (N, H, W, 3) or (N, H, W), 0 to 255")
    if image_size and images.shape[1:3] != image_size:
        raise UserError(
            f"{path} holds pictures of {images.shape[1]}x{images.shape[2]}, and arrays are not resized; leave --image-size out"
        )
    return Dataset.of(images, sha256=hashlib.sha256(np.ascontiguousarray(images)).hexdigest())


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
                f"the pictures in {source.title} differ in size ({height}x{width}, {other_height}x{other_width}, …); "
                "give --image-size, to which each is cut and shrunk as for training"
            )
    return sizes.pop() if sizes else (1, 1)  # `prepare` says that there is no picture
