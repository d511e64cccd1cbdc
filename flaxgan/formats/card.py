"""The README of an exported generator, in the form of the Hugging Face hub's model cards."""

import html
import json
import re
from collections.abc import Sequence
from typing import Any

import flaxgan
from flaxgan.fields import flag, typed
from flaxgan.formats.safetensors import SUFFIX, local_name, shared
from flaxgan.methods import translates
from flaxgan.metrics.results import MEANING
from flaxgan.pretrained import minilm
from flaxgan.runs.metrics_log import logged
from flaxgan.runs.trained import TrainedRun
from flaxgan.system.errors import visible
from flaxgan.system.files import read_text

MOST_NAMES, LONGEST_NAME = 200, 100  # of classes, and letters
MOST_BYTES = 2**24  # of an evaluation
MARKS = re.compile(r"([\\`*_\[\]#|~$])")
UNTOLD = {  # fields that are said elsewhere, or that say nothing of the result
    *("dataset", "image_size", "channels", "num_classes", "method", "device", "data_home"),
    *("data_dir", "checkpoint_every", "keep_checkpoints", "evaluate_every", "log_every", "hours"),
}
TO_FILL_IN = """**To be filled in before this is published:** whose pictures these are, where they
come from, and under which licence; which licence the weights have (`license:` above); what the
generator is for, and what it must not be used for.
"""


def text(name: str) -> str:
    """Return a name as Markdown and HTML show it, whatever is in it, on one line."""
    line = visible(" ".join(name.split()))
    short = line if len(line) <= LONGEST_NAME else line[: LONGEST_NAME - 1] + "…"
    return html.escape(MARKS.sub(r"\\\1", short), quote=False)


def name_of(run: TrainedRun) -> str:
    """Return what a run is called: its folder, or the file that it was loaded from."""
    return run.folder.stem if run.folder.suffix == SUFFIX else run.folder.resolve().name


def card(
    run: TrainedRun, step: int, files: Sequence[str], has_samples: bool, uint8: bool = False
) -> str:
    """Return a README.md for files of a run, with the head that the hub reads.

    `uint8`: the ONNX files take and make pictures of that type.
    """
    config, name = run.config, text(name_of(run))
    kind = getattr(config.options, "architecture", config.method)
    task = "image-to-image" if translates(config) else "unconditional-image-generation"
    task = "text-to-image" if config.condition == "text" else task
    tags = ["gan", "jax", kind, *(["onnx"] if any(x.endswith(".onnx") for x in files) else [])]
    head = [
        "---",
        "license: unknown  # to be filled in",
        "library_name: flaxgan",
        f"pipeline_tag: {task}",
        f"tags: {json.dumps(tags)}",
        "---",
    ]
    samples = "![generated pictures](samples.png)\n\n" if has_samples else ""
    sections = {
        "Use": _use(run, files, "uint8" if uint8 else "float32 in [-1, 1]"),
        "Measured": _measured(run, step),
        "Training": _training(run, step),
        "Data and licence": TO_FILL_IN,
    }
    parts = [f"## {title}\n\n{body}" for title, body in sections.items() if body]
    return "\n".join(
        [*head, "", f"# {name}\n\n{_what(run, kind)}\n\n{samples}{parts[0]}", *parts[1:]]
    )


def _what(run: TrainedRun, kind: str) -> str:
    config = run.config
    size = f"{typed(config.image_size)}{'' if config.channels == 3 else ', grey'}"
    does = "translates pictures" if translates(config) else "draws pictures"
    return (
        f"A generator ({text(kind)}) that {does} of {size} pixels, trained with flaxgan"
        f" {flaxgan.__version__}."
    )


def _use(run: TrainedRun, files: Sequence[str], pixels: str) -> str:
    """Return how the first file of each kind is used; `pixels` are those of ONNX."""
    config = run.config
    if translates(config):
        inputs = 'inputs = {"source": sources}  # (N, H, W, C)'
        call = "pictures = model.translate(sources)  # uint8 (N, H, W, C) both"
    else:
        entries = [f'"z": numpy.random.normal(size=(8, {config.options.latent_dim})).astype("f")']
        if config.num_classes:
            entries.append('"label": numpy.zeros(8, "int32")')
        if config.condition == "text":
            # a sentence as all-MiniLM-L6-v2 encodes it, of length 1
            entries.append(f'"text": numpy.full((8, {minilm.DIM}), {minilm.DIM}**-0.5, "f")')
        inputs = f"inputs = {{{', '.join(entries)}}}"
        asked = ', prompt="a red flower"' if config.condition == "text" else ""
        call = f"pictures = model.sample(8{asked})  # uint8 (N, H, W, C)"
    ways = {
        ".safetensors": ["import flaxgan", "", 'model = flaxgan.load("{file}")', call],
        ".onnx": [
            *("import numpy, onnxruntime", "", 'session = onnxruntime.InferenceSession("{file}")'),
            *(inputs, "(pictures,) = session.run(None, inputs)  # {pixels} (N, H, W, C)"),
        ],
        ".jax": [
            *("import jax.export, numpy", "", 'data = bytearray(open("{file}", "rb").read())'),
            "generator = jax.export.deserialize(data)",
            *(inputs, "pictures = generator.call(*inputs.values())  # float32 in [-1, 1]"),
        ],
    }
    parts = []
    for suffix, lines in ways.items():
        if file := next((name for name in files if name.endswith(suffix)), None):
            code = "\n".join(lines).replace("{file}", file).replace("{pixels}", pixels)
            parts.append(f"```python\n{code}\n```\n")
    return "\n".join(parts)


def _measured(run: TrainedRun, step: int) -> str:
    """Return the metrics of this very checkpoint with their protocol; "" if there are none."""
    if run.folder.suffix == SUFFIX:
        return ""
    try:
        saved = json.loads(read_text(run.folder / "evaluation.json", MOST_BYTES))
        if saved["generated"].get("step") == step:
            sets = {side: dict(saved[side]) for side in ("real", "generated")}
            protocol = saved["protocol"] | {
                f"{side} {key}": local_name(value)
                for side, entries in sets.items()
                for key, value in entries.items()
            }
            values = {name: entry.get("value") for name, entry in saved["metrics"].items()}
            references = {name: x.get("reference") for name, x in saved["metrics"].items()}
            return _table(values, references, protocol)
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        pass  # there is none, or it is none: the log may know
    rows = [row for row in logged(run.folder) if row["step"] == step]
    values = {
        name: x for row in rows for name, x in row.items() if name.partition("_")[0] in MEANING
    }
    if not values:
        return ""
    config = run.config
    return _table(values, {}, {"extractor": config.extractor, "pictures": config.evaluate_num})


def _table(values: dict[str, Any], references: dict[str, Any], protocol: dict[str, Any]) -> str:
    lines = ["| metric | value | of real pictures | meaning |", "| --- | --- | --- | --- |"]
    for name, value in values.items():
        meaning = (MEANING.get(name) or MEANING.get(name.partition("_")[0]) or ("",))[0]
        cells = [
            f"{x:.4g}" if isinstance(x, int | float) else "" for x in (value, references.get(name))
        ]
        lines.append(f"| {text(name)} | {cells[0]} | {cells[1]} | {meaning} |")
    kept = [f"{text(key)}: {text(str(value))}" for key, value in protocol.items()]
    return "\n".join([*lines, "", f"Protocol: {'; '.join(kept)}.", ""])


def _training(run: TrainedRun, step: int) -> str:
    config, names = run.config, [*run.class_counts]
    data = f"{run.num_images:,} pictures" if run.num_images else "pictures"
    lines = [
        f"{step:,} steps of {config.batch_size} on {data} ({text(local_name(config.dataset))})."
    ]
    fields = shared(run)
    changed = [
        f"`{flag(name)}` {text(typed(fields[name]) if name == 'image_size' else str(fields[name]))}"
        for name in config.chosen()
        if name in fields and name not in UNTOLD
    ]
    if changed:
        lines.append(f"Other than the defaults: {', '.join(changed)}.")
    if config.condition == "text":
        lines.append(f"Sentences are vectors of {minilm.NAME}, of length 1 ({minilm.DIM} numbers).")
    if names and config.num_classes:
        shown = ", ".join(f"{id} {text(name)}" for id, name in enumerate(names[:MOST_NAMES]))
        lines.append(f"Classes: {shown}{', …' if len(names) > MOST_NAMES else ''}.")
    return "\n\n".join(lines) + "\n"
