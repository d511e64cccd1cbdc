"""Published PyTorch weight files, read without PyTorch: tensors alone, and only from a file with the pinned SHA-256.

Such files are pickles, which can run any code when they are read. This reader knows the four names that a dictionary of tensors
needs, as data, and refuses every other; nothing that the file names is ever imported or called.
"""

import collections
import hashlib
import io
import pickle
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from flaxgan.errors import UserError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # before PyTorch 1.6: five pickles, then the raw numbers
STORAGES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4"}


class _Storage(NamedTuple):
    dtype: np.dtype
    key: str
    numel: int


class _Tensor(NamedTuple):
    """A view of a storage whose numbers are not read yet."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def read(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        numbers = storages[self.storage.key]
        last = self.offset + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if min(self.offset, *self.shape, *self.strides, 0) < 0 or (0 not in self.shape and last >= len(numbers)):
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
        kind, dtype, key, _location, numel = pid[:5]
        if kind != "storage" or not isinstance(dtype, np.dtype) or any(view is not None for view in pid[5:]):
            raise pickle.UnpicklingError("not a plain storage")
        return _Storage(dtype, str(key), int(numel))


def _is_tensor(value: Any) -> bool:
    return isinstance(value, _Tensor) and isinstance(value.storage, _Storage)


def _read_legacy(file: BinaryIO) -> tuple[Any, dict[str, bytes]]:
    if _Unpickler(file).load() != LEGACY_MAGIC:
        raise ValueError("not a file of torch.save")
    for _ in ("protocol version", "system"):
        _Unpickler(file).load()
    content = _Unpickler(file).load()
    dtypes = {value.storage.key: value.storage.dtype for value in content.values() if _is_tensor(value)}
    raw = {}
    for key in _Unpickler(file).load():
        numel = int.from_bytes(file.read(8), "little")
        raw[key] = file.read(numel * dtypes[key].itemsize)
    return content, raw


def _read_zip(data: bytes) -> tuple[Any, dict[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        (index,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        content = _Unpickler(archive.open(index)).load()
        folder = index.removesuffix(".pkl") + "/"
        keys = {value.storage.key for value in content.values() if _is_tensor(value)}
        return content, {key: archive.read(folder + key) for key in keys}


def read_tensors(data: bytes) -> dict[str, np.ndarray]:
    """The content of a state_dict that torch.save wrote, in either of its formats.

    Raises pickle.UnpicklingError, ValueError, KeyError or zipfile.BadZipFile for anything else.
    """
    is_zip = data.startswith(b"PK")
    content, raw = _read_zip(data) if is_zip else _read_legacy(io.BytesIO(data))
    if not isinstance(content, dict) or not all(map(_is_tensor, content.values())):
        raise ValueError("not a dictionary of tensors alone")
    dtypes = {value.storage.key: value.storage.dtype for value in content.values()}
    storages = {key: np.frombuffer(raw[key], dtype) for key, dtype in dtypes.items()}
    return {name: value.read(storages) for name, value in content.items()}


def read_weights(path: Path, sha256: str) -> dict[str, np.ndarray]:
    """A published weight file -> its arrays by name. Raises UserError if it can't be read or is not the published one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"can't read the weights {path}: {error.strerror}") from error
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise UserError(
            f"{path} is not the published weight file, or is damaged: its SHA-256 is {found}, not {sha256}; fetch it again"
        )
    return read_tensors(data)
