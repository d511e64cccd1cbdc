"""An evaluation as a person reads it: a table, a JSON file, and images beside that."""

import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import flaxgan
from flaxgan.metrics.comparison import Comparison, Measured
from flaxgan.metrics.image_sets import described
from flaxgan.metrics.reference import Reference
from flaxgan.metrics.translation import Translation
from flaxgan.plots import save_image, save_neighbours, save_side_by_side
from flaxgan.system.attempts import Attempts
from flaxgan.system.errors import UserError
from flaxgan.system.files import replacing, require_writable
from flaxgan.tables import columns_sheet

HALVES = "one half of the real pictures against the other"
# What a number means in words, and what its reference is, for the table.
MEANING = {
    "fd": ("lower is better", HALVES),
    "fid": ("lower is better", HALVES),
    "kid": ("lower is better", "two samples of the same pictures"),
    "precision": ("share of generated among the real", HALVES),
    "recall": ("share of real among the generated", HALVES),
    "density": ("real neighbourhoods that a generated one is in", HALVES),
    "coverage": ("share of real neighbourhoods that are reached", HALVES),
    "feature_distance": ("lower than the real: less varied", "real pictures"),
    "ms_ssim": ("higher than the real: less varied", "real pictures"),
    "class_coverage": ("share of classes that are drawn", "real pictures"),
    "class_balance": ("1: classes as varied as the real", "real pictures"),
    "class_agreement": (
        "share that look like the class they were asked for",
        "real pictures that the classifier has not seen",
    ),
    "memorised": ("share suspiciously close to a real picture", "real pictures"),
    "nearest_distance": ("median, to the nearest real picture", "real pictures"),
    "d_real_accuracy": ("real taken for real", "a discriminator that guesses"),
    "d_fake_accuracy": ("generated taken for generated", "a discriminator that guesses"),
    "inception_score": ("higher is better", ""),
    "words": (
        "share that show what an unseen sentence says",
        "real pictures, by the same classifier",
    ),
    "unseen_agreement": (
        "share that look like the class asked for in unseen words",
        "real pictures that the classifier has not seen",
    ),
    "r_precision": ("share that find their own sentence among 100", "real pictures"),
    "resolution": ("side of the pictures before they are enlarged, in pixels", ""),
    "l1": ("mean difference to the target, of 1", ""),
    "psnr": ("dB, higher is better", ""),
    "ssim": ("1: as the target", ""),
    "target_distance": ("to the target, in feature space", ""),
    "source_distance": ("to the source: how much is changed", "any two sources"),
    "cycle_distance": ("mean difference there and back again, of 1", ""),
    "kept_classes": ("share still taken for the source's class", ""),
}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def table(measured: dict[str, Measured]) -> str:
    """Lay out the numbers, a line each: name, value, spread, reference value, what it means."""
    known = {"nothing": "doing nothing", "chance": "chance"}
    beside = [x for x in known if any(x in entry for entry in measured.values())]
    nothing = [known[x] for x in beside]
    lines = [("metric", "value", "", *nothing, "reference", "of", "meaning")]
    for name, entry in measured.items():
        meaning, reference_is = MEANING.get(name) or MEANING[name.partition("_")[0]]
        deviation = entry.get("spread", entry.get("std"))
        spread = "" if deviation is None else f"± {_number(deviation)}"
        value, reference = _number(entry["value"]), _number(entry.get("reference"))
        nothing = [_number(entry.get(x)) for x in beside]
        lines.append(
            (name, value, spread, *nothing, reference, reference and reference_is, meaning)
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def check_output(path: Path) -> None:
    """Raise UserError, before anything is computed, if the JSON file can't be written there."""
    if path.suffix.lower() != ".json":
        raise UserError(f"--output {path} must be a .json file; its pictures are written beside it")
    require_writable(path)


def repeated(measured: Sequence[dict[str, Measured]]) -> dict[str, Measured]:
    """Return the first of several measurements with the mean values of all, and their spread.

    "spread" is the standard deviation of one value, over "repeats" sets of samples.
    """
    first = measured[0]
    if len(measured) == 1:
        return first
    for name, entry in first.items():
        values = [again[name]["value"] for again in measured if name in again]
        entry |= {
            "value": float(np.mean(values)),
            "spread": float(np.std(values, ddof=1)),
            "repeats": len(values),
        }
    return first


def content_of(
    c: Comparison, measured: dict[str, Measured], others: Sequence[Reference] = ()
) -> dict[str, Any]:
    """Return the numbers with their protocol, as the JSON file has them.

    The protocol is what each set is, the extractor with its weights' SHA-256, resizing and seed;
    those of `others` are "further_extractors".
    """
    counts = {"n_real": len(c.real), "n_generated": len(c.generated)}
    content = {
        "flaxgan_version": flaxgan.__version__,
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "protocol": c.extractor.protocol
        | {"seed": c.seed}
        | counts
        | {"further_extractors": [real.extractor.protocol for real in others]},
        "real": c.real.image_set.protocol,
        "generated": c.generated.protocol,
        "metrics": measured,
        "caveats": c.caveats,
    }
    return json.loads(json.dumps(content))  # with Python's own numbers, as the file has them


def report(content: dict[str, Any]) -> str:
    """Return the numbers as a person reads them: what was compared, a table, and notes."""
    sets = [f"{side}: {described(content[side])}" for side in ("real", "generated")]
    protocol = content["protocol"]
    names = [used["extractor"] for used in (protocol, *protocol["further_extractors"])]
    extractor = f"extractor: {', '.join(names)}"
    notes = [f"note: {caveat}" for caveat in content["caveats"]]
    return "\n".join([*sets, extractor, "", table(content["metrics"]), *notes])


def write(path: Path, content: dict[str, Any]) -> None:
    """Write the numbers as JSON."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n")


def _image_paths(path: Path) -> list[Path]:
    """Return where images beside a JSON file go: nearest neighbours, and typical samples."""
    names = ("neighbours", "typical", "translations")
    return [path.with_name(f"{path.stem}_{name}.png") for name in names]


def images_beside(path: Path) -> list[Path]:
    """Return the paths of the images that were written beside a JSON file."""
    return [image for image in _image_paths(path) if image.exists()]


PAIRS = 12  # in each row of the image of neighbours
SHOWN = 64  # in each grid of typical images
TRANSLATED, GROUPS = 32, 4  # sources in the table of translations, and groups of its columns


def save_translations(path: Path, t: Translation) -> None:
    """Write a table of sources, results and targets beside a JSON file.

    What can't be drawn is left out.
    """
    file, count = _image_paths(path)[-1], min(TRANSLATED, t.count)
    file.unlink(missing_ok=True)
    columns = {
        "source": t.nothing[:count],
        "result": t.generated.images[:count],
        "its target" if t.paired else "a target": t.real.image_set.images[:count],
    }
    with Attempts(path.parent)(file.name):
        save_image(file, columns_sheet(columns, GROUPS if count > GROUPS else 1))


def save_images(path: Path, c: Comparison) -> None:
    """Write images beside a JSON file: nearest neighbours, and most and least typical samples.

    The former are written if memorisation was measured, the latter if neighbourhoods were. Those of
    an evaluation before are removed: they would not belong to these numbers. What can't be drawn is
    left out.
    """
    attempt = Attempts(path.parent)
    neighbours, typical, _ = _image_paths(path)
    for before in (neighbours, typical):
        before.unlink(missing_ok=True)
    if "nearest_real" in vars(c):
        indices, distances = c.nearest_real
        closest = np.argsort(distances)[:PAIRS]
        others = np.arange(len(distances))[:PAIRS]  # any: their order is random
        images, num = c.real.image_set.images, len(c.real)
        real = [images[i] if i < num else images[i - num][:, ::-1] for i in indices]
        rows = {
            name: [(c.generated.images[i], real[i], distances[i]) for i in chosen]
            for name, chosen in (("the closest", closest), ("picked at random", others))
        }
        with attempt(neighbours.name):
            save_neighbours(neighbours, rows, distances, c.real.nearest_distances)
    if "between" in vars(c):
        order = np.argsort(-c.between.realism)
        count = min(SHOWN, len(order) // 2)
        images = c.generated.images
        grids = {"most typical": images[order[:count]], "least typical": images[order[-count:]]}
        with attempt(typical.name):
            save_side_by_side(
                typical, grids, "generated pictures, by their realism (Kynkäänniemi et al. 2019)"
            )
