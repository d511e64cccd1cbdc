"""What kinds of data methods learn from: how each is opened, and prepared as arrays.

"images": one set; "unpaired": a set of sources, and one of images to become like; "paired": images,
each with what it is made from; "smaller": images, each with itself shrunk. A method's options say
which (DATA).
"""

import dataclasses
import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from flaxgan.config import Config
from flaxgan.data.cache import prepare
from flaxgan.data.captions import with_captions
from flaxgan.data.dataset import Dataset
from flaxgan.data.derived import DERIVED, derived, smaller
from flaxgan.data.open import is_tfds, open_source
from flaxgan.data.pairs import exchanged, holds_pairs, open_pairs, split_in_halves
from flaxgan.data.source import Source
from flaxgan.system.errors import UserError, complain

LEAST = 2  # pictures that can be measured


class Form(NamedTuple):
    """How the data of a kind are opened, and what becomes of them; both raise UserError."""

    open: Callable[[Config], Source]
    prepare: Callable[[Config, Source], Dataset]


def open_data(config: Config) -> Source:
    """Open the data that a configuration names, as its method takes them."""
    return FORMS[config.options.DATA].open(config)


def prepare_data(config: Config, source: Source) -> Dataset:
    """Return the arrays that a method learns from, and what is held out; says what people should
    know of them.
    """
    return FORMS[config.options.DATA].prepare(config, source)


def source_channels(config: Config) -> int:
    """Return the channels of what a translator is given."""
    kind = getattr(config.options, "source", None)
    return (kind and DERIVED[kind].channels) or config.channels


def _opened(config: Config) -> Source:
    return open_source(config.dataset, config.data_dir, config.split, config.values)


def prepared_images(config: Config, source: Source) -> Dataset:
    return prepare(source, config.image_size, config.channels, config.fit)


def _prepare_images(config: Config, source: Source) -> Dataset:
    dataset = prepared_images(config, source)
    if config.condition != "text":
        return dataset
    return with_captions(source, dataset, config.options.caption)


def _with_test(config: Config, source: Source, dataset: str) -> Source:
    """Return a source with the pictures of --test-split, if that is given and it is TFDS's."""
    split = config.options.test_split
    if split is None or not is_tfds(dataset):
        return source
    return dataclasses.replace(
        source, test=open_source(dataset, config.data_dir, split, config.values)
    )


def _require_tfds(config: Config, *others: str) -> None:
    """Raise UserError for a --test-split if no data set, --dataset's or another, is TFDS's."""
    if config.options.test_split and not any(map(is_tfds, (config.dataset, *others))):
        raise UserError("--test-split is for TFDS data sets; leave it out")


def _open_unpaired(config: Config) -> Source:
    options = config.options
    if options.target is None:
        raise UserError(
            f"--method {config.method} takes two sets of pictures: --dataset is translated, to"
            " become like --target; give that too"
        )
    split = config.split if is_tfds(options.target) else None
    only = config if is_tfds(config.dataset) else config.replace(split=None)
    first = _opened(only)
    second = open_source(options.target, config.data_dir, split, config.values)
    _require_tfds(config, options.target)
    second = _with_test(config, second, options.target)
    return dataclasses.replace(
        _with_test(config, first, config.dataset),
        second=second,
        channels=max(first.channels, second.channels),
        flip=first.flip and second.flip,
    )


def _open_paired(config: Config) -> Source:
    options, folder = config.options, config.image_folder
    if options.source:
        if folder and holds_pairs(folder):
            raise UserError(
                f"--source {options.source} makes the source of each picture itself, and"
                f" {config.dataset} has one for each; leave --source out, or name its folder target"
            )
        pairs = _opened(config)
    elif options.pairs == "side-by-side":
        pairs = split_in_halves(_opened(config))
    elif folder is None:
        raise UserError(
            f"--dataset {config.dataset} has no pairs; add --source edges, hed, grey, blur or mask,"
            " that makes the source of each picture itself, or --pairs side-by-side if each holds"
            " both halves"
        )
    else:
        pairs = open_pairs(folder)
    if options.swap_pairs and pairs.pairs is None:
        raise UserError("--swap-pairs is for pairs, and --source makes them; leave one out")
    pairs = exchanged(pairs) if options.swap_pairs else pairs
    _require_tfds(config)
    return _with_test(config, pairs, config.dataset)


def _open_smaller(config: Config) -> Source:
    source = _opened(config)
    _require_tfds(config)
    return _with_test(config, source, config.dataset)


def larger(config: Config) -> Config:
    """Return the configuration with the size that pictures have before they are cut at random."""
    if (jitter := config.options.jitter or 1.0) == 1:
        return config
    unit = getattr(config.options, "scale", 1)
    larger = [round(side * jitter / unit) * unit for side in config.image_size]
    return config.replace(image_size=tuple(larger))


def _quiet(source: Source) -> Source:
    return dataclasses.replace(source, pairs=source.pairs and _quiet(source.pairs), quiet=True)


def _divided(config: Config, prepared: Callable[[Config, Source], Dataset], s: Source) -> Dataset:
    """Return what is trained on, larger by the jitter, with what is held out at its own size."""
    whole, loaded_as = prepared(config, s), larger(config)
    loaded = whole if loaded_as == config else prepared(loaded_as, _quiet(s))
    if s.test is not None:
        held_out, dataset = prepared(config, s.test), loaded
    else:
        share = config.options.hold_out * 2.0**64
        rows, loaded_rows = (x.digests < share for x in (whole, loaded))
        held_out = whole.take(np.flatnonzero(rows))
        dataset = loaded.take(np.flatnonzero(~loaded_rows))
    if not len(dataset):
        raise UserError(f"all pictures of {s.title} are held out; lower --hold-out, or add some")
    if len(held_out) < LEAST:
        words = (
            "fewer than two pictures of {} are held out; what is shown and measured is trained on"
        )
        complain(f"flaxgan: note: {words.format(s.title)}, too (--hold-out)")
        held_out = whole
    digest = hashlib.sha256(f"{whole.sha256} {config.options.hold_out}".encode())
    return dataclasses.replace(dataset, held_out=held_out, sha256=digest.hexdigest())


def _prepare_unpaired(config: Config, source: Source) -> Dataset:
    def sources(config: Config, source: Source) -> Dataset:
        dataset = prepared_images(config, source)
        labels = {name: x for name, x in dataset.arrays.items() if name == "label"}
        return dataclasses.replace(dataset, arrays={"source": dataset.images} | labels)

    assert source.second is not None
    first = _divided(config, sources, source)
    second = _divided(config, prepared_images, source.second)
    assert first.held_out is not None and second.held_out is not None
    return dataclasses.replace(
        _only_images(first),
        sha256=hashlib.sha256(f"{first.sha256} {second.sha256}".encode()).hexdigest(),
        second=_only_images(second),
        held_out=dataclasses.replace(first.held_out, second=_only_images(second.held_out)),
    )


def _only_images(dataset: Dataset) -> Dataset:
    arrays = {name: x for name, x in dataset.arrays.items() if name != "label"}
    return dataclasses.replace(dataset, arrays=arrays, class_names=(), held_out=None)


def _prepare_paired(config: Config, source: Source) -> Dataset:
    def pairs(config: Config, source: Source) -> Dataset:
        images = _only_images(prepared_images(config, source))
        if kind := config.options.source:
            made = derived(images.images, DERIVED[kind].make, kind, images.sha256)
            return dataclasses.replace(images, arrays={"image": images.images, "source": made})
        assert source.pairs is not None
        others = prepared_images(config, source.pairs)
        return _aligned(images, others)

    return _divided(config, pairs, source)


def _aligned(images: Dataset, sources: Dataset) -> Dataset:
    """Return the rows of which both pictures could be read, as one set of two arrays."""
    items, digests, others_items = images.items, images.digests, sources.items
    assert items is not None and digests is not None and others_items is not None
    both = np.intersect1d(items, others_items)
    rows, others = (np.flatnonzero(np.isin(x, both)) for x in (items, others_items))
    whole = len(rows) == len(images) and len(others) == len(sources)
    pixels = [images.images, sources.images]
    if not whole:
        pixels = [images.images[rows], sources.images[others]]
    sha256 = hashlib.sha256(f"{images.sha256} {sources.sha256}".encode()).hexdigest()
    return dataclasses.replace(
        images,
        arrays={"image": pixels[0], "source": pixels[1]},
        items=items[rows],
        digests=digests[rows],
        sha256=sha256,
        values=sources.values,
    )


def _prepare_smaller(config: Config, source: Source) -> Dataset:
    scale = config.options.scale

    def both(config: Config, source: Source) -> Dataset:
        images = _only_images(prepared_images(config, source))
        small = derived(
            images.images, lambda x: smaller(x, scale), f"smaller{scale}", images.sha256
        )
        return dataclasses.replace(images, arrays={"image": images.images, "source": small})

    return _divided(config, both, source)


FORMS: dict[str, Form] = {
    "images": Form(_opened, _prepare_images),
    "unpaired": Form(_open_unpaired, _prepare_unpaired),
    "paired": Form(_open_paired, _prepare_paired),
    "smaller": Form(_open_smaller, _prepare_smaller),
}
