"""Published PyTorch weight files, read without PyTorch: tensors alone, and only from a file with
the pinned SHA-256.

Such files are pickles, which can run any code when they are read. This reader knows the four names
that a dictionary of tensors needs, as data, and refuses every other; nothing that the file names is
ever imported or called.
"""

import collections
import errno
import hashlib
import http.client
import io
import json
import pickle
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from flaxgan.system.errors import UserError, say
from flaxgan.system.files import cache_dir, replacing

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # before PyTorch 1.6: five pickles, then the raw numbers
LARGEST = 2**31  # bytes of a file that is read
STORAGES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
}


class _Storage(NamedTuple):
    dtype: np.dtype
    key: str


class _Tensor(NamedTuple):
    """A view of a storage whose numbers are not read yet."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        numbers = storages[self.storage.key]
        last = self.offset + sum(
            (size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)
        )
        if min(self.offset, *self.shape, *self.strides, 0) < 0 or (
            0 not in self.shape and last >= len(numbers)
        ):
            raise ValueError("a tensor reaches outside of its storage")
        strides = [stride * numbers.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers[self.offset :], self.shape, strides).copy()


def _rebuild_tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


class _Unpickler(pickle.Unpickler):
    NAMES = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    } | {("torch", name): np.dtype(dtype) for name, dtype in STORAGES.items()}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.NAMES[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed") from None

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _location, _numel = pid[:5]
        if (
            kind != "storage"
            or not isinstance(dtype, np.dtype)
            or any(view is not None for view in pid[5:])
        ):
            raise pickle.UnpicklingError("not a plain storage")
        return _Storage(dtype, str(key))


def _load_tensors(file: IO[bytes]) -> dict[str, _Tensor]:
    content = _Unpickler(file).load()
    if not isinstance(content, dict) or not all(
        isinstance(value, _Tensor) and isinstance(value.storage, _Storage)
        for value in content.values()
    ):
        raise ValueError("not a dictionary of tensors alone")
    return content


def _read_legacy(file: IO[bytes]) -> tuple[dict[str, _Tensor], dict[str, bytes]]:
    if _Unpickler(file).load() != LEGACY_MAGIC:
        raise ValueError("not a file of torch.save")
    for _ in ("protocol version", "system"):
        _Unpickler(file).load()
    tensors = _load_tensors(file)
    dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
    raw = {}
    for key in _Unpickler(file).load():
        numel = int.from_bytes(file.read(8), "little")
        raw[key] = file.read(numel * dtypes[key].itemsize)
    return tensors, raw


def _read_zip(data: bytes) -> tuple[dict[str, _Tensor], dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (index,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        tensors = _load_tensors(archive.open(index))
        folder = index.removesuffix(".pkl") + "/"
        keys = {tensor.storage.key for tensor in tensors.values()}
        return tensors, {key: archive.read(folder + key) for key in keys}


def read_tensors(data: bytes) -> dict[str, np.ndarray]:
    """Read the content of a state_dict that torch.save wrote, in either of its formats.

    Raises pickle.UnpicklingError, ValueError, KeyError, EOFError or zipfile.BadZipFile for anything
    else.
    """
    is_zip = data.startswith(b"PK")
    tensors, raw = _read_zip(data) if is_zip else _read_legacy(io.BytesIO(data))
    dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
    storages = {key: np.frombuffer(raw[key], dtype) for key, dtype in dtypes.items()}
    return {name: tensor.read(storages) for name, tensor in tensors.items()}


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Read the float32 arrays of a file of safetensors, which is a table in JSON and numbers.

    Raises ValueError or KeyError for anything else.
    """
    start = 8 + int.from_bytes(data[:8], "little")
    arrays = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != "__metadata__" and entry["dtype"] == "F32":
            begin, end = (start + offset for offset in entry["data_offsets"])
            arrays[name] = np.frombuffer(data[begin:end], "<f4").reshape(entry["shape"])
    return arrays


def fold(tensors: Mapping[str, np.ndarray], conv: str, norm: str) -> dict[str, np.ndarray]:
    """Fold a convolution (O, I, K, K) and the batch norm after it into a kernel and a bias.

    The kernel is (K, K, I, O), without I if that is 1, and the bias (O,).
    """
    scale = tensors[f"{norm}.weight"].astype(np.float64) / np.sqrt(
        tensors[f"{norm}.running_var"] + 1e-3
    )
    bias = tensors[f"{norm}.bias"] - tensors[f"{norm}.running_mean"] * scale
    kernel = (tensors[f"{conv}.weight"] * scale[:, None, None, None]).transpose(2, 3, 1, 0)
    if kernel.shape[2] == 1:
        kernel = kernel[:, :, 0]
    return {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}


def _check(data: bytes, sha256: str, source: Path | str, remedy: str) -> None:
    found = hashlib.sha256(data).hexdigest()
    if not found.startswith(sha256):
        raise UserError(
            f"{source} is not the published weight file, or is damaged: its SHA-256 is {found}, not"
            f" {sha256}{'...' * (len(sha256) < len(found))}; {remedy}"
        )


def read_bytes(path: Path, sha256: str) -> io.BytesIO:
    """Read a published weight file whose SHA-256 begins with `sha256`, in memory.

    Raises UserError if it can't be read or is not the published one.
    """
    try:
        if path.exists() and not (path.is_file() and path.stat().st_size <= LARGEST):
            raise OSError(errno.EINVAL, "it is no file of weights")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"can't read the weights {path}: {error.strerror}") from error
    _check(data, sha256, path, "remove it and fetch it again")
    return io.BytesIO(data)


def read_weights(path: Path, sha256: str) -> dict[str, np.ndarray]:
    """Read a published weight file of PyTorch's; return its arrays by name.

    Raises UserError as `read_bytes` does.
    """
    return read_tensors(read_bytes(path, sha256).getvalue())


def published_weights(url: str, sha256: str, flag: str) -> Path:
    """Return the file in the cache, downloaded if it is not there yet.

    `flag` is how a user would give the file instead.

    Raises UserError if it can't be downloaded or kept, or what arrived is not the published file;
    then nothing is kept.
    """
    remedy = f"fetch it where there is a network, and give {flag} FILE"
    path = cache_dir() / "weights" / url.rpartition("/")[2]
    if path.is_file():
        return path
    say(f"downloading {url} (once)", flush=True)
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            data = answer.read()
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise UserError(f"can't download {url} ({reason}); {remedy}") from error
    _check(data, sha256, url, remedy)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:
        raise UserError(
            f"can't keep the weights as {path}: {error.strerror or error}; set FLAXGAN_CACHE"
        ) from error
    return path
