"""TFDS data sets, read with tfds.data_source: array_record files, no TensorFlow."""

import contextlib
import difflib
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from PIL import Image

from flaxgan.data.decoding import open_picture
from flaxgan.data.reading import printable
from flaxgan.data.source import Source
from flaxgan.data.synthetic import NAME as BUILT_IN
from flaxgan.system.errors import UserError, say
from flaxgan.system.files import portable

OWN_FEATURES = "tensorflow_datasets.core.features."
MIRRORED_IS_WRONG = (
    "mnist",
    "svhn",
    "omniglot",
    "digit",
    "letters",
    "smallnorb",
    "dsprites",
    "text",
)


def open_tfds(dataset: str, data_dir: str | None, split: str | None) -> Source:
    import tensorflow_datasets as tfds  # a second of imports

    logging.getLogger("absl").setLevel(logging.ERROR)
    a_file = " (it is a file)" if os.path.isfile(dataset) else ""
    home = Path(data_dir or tfds.core.constants.DATA_DIR).expanduser()
    _require_known_features(home / dataset.partition("/")[0].partition(":")[0])
    try:
        # a banner on TensorFlow
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            builder = tfds.builder(dataset, data_dir=data_dir, try_gcs=False)
    except ModuleNotFoundError as error:
        raise _needs_tensorflow(dataset, data_dir) from error
    except tfds.core.DatasetNotFoundError as error:
        names = [BUILT_IN, *tfds.list_builders(with_community_datasets=False)]
        near = difflib.get_close_matches(dataset, names, 1)
        wanted = (
            "--dataset takes the name of a TFDS data set, the path of a folder or .npz, or"
            " synthetic_flowers; one of your own has to be added again (--plugin FILE, or in Python"
            " flaxgan.DATASETS)"
        )
        hint = f"did you mean {near[0]}? {wanted}" if near else wanted
        is_folder = os.path.isdir(dataset)
        folder = (
            "and the folder of that name goes without --data-dir"
            if is_folder
            else "and there is no folder of that name"
        )
        raise UserError(f"unknown data set {dataset}, {folder}{a_file}; {hint}") from error
    except json_format.Error as error:
        raise UserError(
            f"the files of {dataset} below {home} are damaged ({_in_short(error)}); prepare it anew"
        ) from error
    # no name at all, or no such configuration, version or option
    except (ValueError, TypeError, AssertionError) as error:
        raise UserError(
            f"{dataset!r} is neither a folder{a_file} nor the name of a TFDS data set"
            f" ({_in_short(error)})"
        ) from error
    info = builder.info
    features = info.features if isinstance(info.features, tfds.features.FeaturesDict) else {}
    if "image" not in features or not isinstance(features["image"], tfds.features.Image):
        raise UserError(f"{dataset} has no feature 'image', so its pictures can't be found")
    if find_spec("array_record") is None:
        raise UserError(
            f"{dataset}: the files of TFDS data sets are read with array_record, which is not"
            " installed; there is none for Windows (start flaxgan in WSL there, or give --dataset"
            " a folder of pictures); elsewhere pip install array-record"
        )
    if not builder.is_prepared():
        _prepare(builder, dataset, data_dir)
        builder = tfds.builder(dataset, data_dir=data_dir, try_gcs=False)
        info = builder.info
    split = split or "+".join(info.splits)
    try:
        records = builder.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()})
    # TFDS's own answer where the files are of no format with random access, as tfrecord is
    except NotImplementedError as error:
        raise UserError(
            f"{builder.data_path} is not in the array_record format, which is read without"
            " TensorFlow; give another --data-dir, where flaxgan can prepare it anew"
        ) from error
    except (ValueError, KeyError, AssertionError) as error:
        raise UserError(
            f"{dataset} has no split {split}; there are {', '.join(info.splits)}"
        ) from error
    _require_all_records(info, split)
    height, width, channels = features["image"].shape
    has_classes = "label" in features and isinstance(features["label"], tfds.features.ClassLabel)

    def read(i: int) -> tuple[Image.Image, int]:
        try:
            record = records[i]
        # array_record has no errors of its own: it says nothing of a picture
        except Exception as error:
            raise UserError(
                f"can't read record {i} of {builder.data_path}: {_in_short(error)}; see to its"
                " drive and start again, or prepare it anew"
            ) from error
        return open_picture(io.BytesIO(record["image"])), int(record["label"]) if has_classes else 0

    channels = 1 if channels == 1 else 3
    return Source(
        name=portable(dataset),
        title=str(builder.data_path),
        identity=[str(builder.data_path), split],
        fingerprint=[
            str(info.version),
            len(records),
            [[split.name, split.num_bytes] for split in info.splits.values()],
        ],
        length=len(records),
        read=read,
        item_name=str,
        class_names=features["label"].names if has_classes else [],
        channels=channels,
        image_size=(height, width) if height and width else None,
        flip=channels == 3 and not any(word in builder.name for word in MIRRORED_IS_WRONG),
        content=lambda i: records[i]["image"],
    )


def _require_all_records(info: Any, split: str) -> None:
    """Raise UserError if a file of a split has another number of records than TFDS noted.

    Fewer would be read without a word. Opens each file.
    """
    from array_record.python.array_record_module import ArrayRecordReader

    for part in (part for name, part in info.splits.items() if name in split):
        for file, noted in zip(part.filepaths, part.shard_lengths, strict=True):
            try:
                reader = ArrayRecordReader(str(file))
                held = reader.num_records()
                reader.close()
            except Exception as error:  # as above
                raise UserError(
                    f"can't read {file}: {_in_short(error)}; prepare it anew"
                ) from error
            if held != noted:
                raise UserError(
                    f"{file} holds {held} records, and dataset_info.json says {noted}; prepare it"
                    " anew"
                )


def _in_short(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__)[:200]


def _is_known(name: str) -> bool:
    """Tell whether a feature's class is TFDS's own, or has been imported by the user."""
    return name.startswith(OWN_FEATURES) or name.rpartition(".")[0] in sys.modules


def _require_known_features(folder: Path) -> None:
    """Raise UserError if the files of a data set name classes that TFDS would import for them.

    So a stranger's files would run whatever module lies in the working folder.
    """

    def names(node: Any) -> Iterator[str]:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if key in ("pythonClassName", "type", "python_class_name") and isinstance(value, str):
                yield value
            elif isinstance(value, dict | list):
                yield from names(value)

    for file in folder.rglob("features.json"):
        try:
            content = json.loads(file.read_text())
            foreign = {name for name in names(content) if not _is_known(name)}
        except (OSError, ValueError, RecursionError, AttributeError, TypeError) as error:
            raise UserError(f"{printable(file)} is damaged ({_in_short(error)})") from error
        if foreign:
            raise UserError(
                f"{printable(file)} names {printable(min(foreign))}, which is none of TFDS's own"
                " features: it is not imported, as it could run anything; if you trust it, import"
                " it yourself (--plugin FILE)"
            )


def _needs_tensorflow(dataset: str, data_dir: str | None) -> UserError:
    return UserError(
        f"{dataset} is not prepared in {data_dir or '~/tensorflow_datasets'}, and TFDS needs"
        ' TensorFlow to prepare it (once, not to train): pip install "tensorflow>=2.18"; or'
        " point --data-dir at where it is prepared"
    )


def _prepare(builder: Any, dataset: str, data_dir: str | None) -> None:
    """Download `dataset` and write it with TFDS, in a process of its own.

    That needs TensorFlow, which must not take the GPU.
    """
    if find_spec("tensorflow") is None:
        raise _needs_tensorflow(dataset, data_dir)
    say(f"preparing {dataset} in {data_dir or '~/tensorflow_datasets'} (once)", flush=True)
    code = (
        "import sys, tensorflow_datasets as tfds; tfds.builder(sys.argv[1], data_dir=sys.argv[2] or"
        " None, file_format='array_record').download_and_prepare()"
    )
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    # -P: nothing is imported from the working directory
    command = [sys.executable, "-P", "-c", code, dataset, data_dir or ""]
    process = subprocess.run(command, env=environment, stderr=subprocess.PIPE, text=True)
    if process.returncode and not builder.is_prepared():  # by another process, which was quicker
        reason = (process.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"TFDS could not prepare {dataset} (is there a network?): {reason[:300]}")
