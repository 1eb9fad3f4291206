"""Check files of `torch.save` before torch reads them, and read them with plain values only.

`torch.load(weights_only=True)` runs no code, but it trusts the numbers in a file: it allocates what
they say, calls codecs and constructors with any arguments, and hashes any key. Therefore the
pickle in the file is first read without creating tensors: every storage must have its bytes in the
file, every tensor must be within its storage, and all else must be plain data.
"""

from __future__ import annotations

import math
import mmap
import pickle
import zipfile
import zlib
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from reprlib import repr as short  # parts may be shared so often that repr never ends
from typing import Any, BinaryIO

import torch

from vgtoolbox.utils.pickle_opcodes import check_opcodes
from vgtoolbox.utils.restricted_pickle import (
    DECODER_ERRORS,
    CheckedDtype,
    RefusedPickleError,
    RestrictedUnpickler,
    checked_dtype,
    checked_scalar,
)

MAX_PICKLE_BYTES = 64 << 20
"""Size of the part of a file that describes its tensors; 500 bytes per tensor are usual."""
_MAX_RATIO = 4  # of the unpacked size of an archive; weights are compressed by less than a half
# Weights that share a storage count as often as they are used, as copying them would.
_MAX_SHARING, _FREE_BYTES = 8, 16 << 20
_MAGIC = 0x1950A86A20F9469CFC6C  # first object in files of torch < 1.6
_MAX_DIMENSIONS = 64
_MODULES = ("torch", "torch.cuda")
_ITEM_SIZES = {
    **dict.fromkeys(("Byte", "Char", "Bool", "Untyped"), 1),
    **dict.fromkeys(("Short", "Half", "BFloat16"), 2),
    **dict.fromkeys(("Int", "Float"), 4),
    **dict.fromkeys(("Long", "Double", "ComplexFloat"), 8),
    "ComplexDouble": 16,
}
# Functions that the restricted unpickler of torch may call too. NumPy numbers have different module
# names in NumPy 1 and 2.
_SAFE_GLOBALS: list[Any] = [
    Namespace,
    CheckedDtype,
    (checked_dtype, "numpy.dtype"),
    *((checked_scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")),
]
_UNSUPPORTED = {
    "_rebuild_qtensor": "a quantized tensor",
    "_rebuild_sparse_tensor": "a sparse tensor",
    "_rebuild_nested_tensor": "a nested tensor",
    "_rebuild_meta_tensor_no_storage": "a tensor without values (of the meta device)",
    "_rebuild_wrapper_subclass": "a tensor of a subclass",
    "_rebuild_from_type_v2": "a tensor of a subclass",
}


class TorchFileError(ValueError):
    """A file of torch is damaged, incomplete, or asks for more than it contains."""


class UnusableTorchFileError(TorchFileError):
    """An intact file does not contain ordinary tensors; the message says what to do."""


def is_legacy_torch(start: bytes) -> bool:
    """Return whether a file that begins with these bytes was written by torch < 1.6."""
    number = _MAGIC.to_bytes(10, "little")
    return start[:1] == b"\x80" and start[2:14] == b"\x8a\x0a" + number


def load_torch_file(path: str | Path, *, map_location: str = "cpu", lazy: bool = False) -> Any:
    """Load a file of `torch.save`: tensors, containers and plain values.

    Args:
        path: File, a zip archive or, if torch < 1.6 wrote it, several pickles and raw bytes.
        map_location: Device of the tensors.
        lazy: Whether to read the values of tensors on access, which needs an archive.

    Raises:
        TorchFileError: The file is damaged, or its numbers do not fit its size.
        RefusedPickleError: The file contains something other than tensors and plain values.
    """
    is_archive, checked = _check_file(path)
    if checked.is_plain:
        return checked.content
    if Path(path).suffix == ".safetensors":  # torch would trust the name
        with Path(path).open("rb") as file:
            return _load_checked(file, map_location=map_location)
    return _load_checked(path, map_location=map_location, mmap=lazy and is_archive)


def _load_checked(source: Any, **options: Any) -> Any:
    with torch.serialization.safe_globals(_SAFE_GLOBALS):
        try:
            return torch.load(source, weights_only=True, **options)
        except pickle.UnpicklingError as error:
            raise RefusedPickleError(f"it contains objects of a class ({error})") from error


def _check_file(path: str | Path) -> tuple[bool, _Unpickler]:
    """Return whether a file is a zip archive, and its content without tensors."""
    with Path(path).open("rb") as file:
        is_archive = file.read(2) == b"PK"
        try:
            return is_archive, _check_archive(file) if is_archive else _check_legacy(file)
        except (RefusedPickleError, TorchFileError):
            raise
        except (*DECODER_ERRORS, zipfile.BadZipFile, OSError, zlib.error, RuntimeError) as error:
            raise TorchFileError(f"{type(error).__name__}: {error}") from error


def _check_archive(file: BinaryIO) -> _Unpickler:
    archive = zipfile.ZipFile(file)
    sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
    actual = file.seek(0, 2)
    if len(sizes) != len(archive.infolist()):
        raise TorchFileError("it has two records of the same name")
    if sum(sizes.values()) > _MAX_RATIO * actual + _FREE_BYTES:
        raise TorchFileError(
            f"its records say that they have {sum(sizes.values())} bytes, but the file has {actual}"
        )
    folder = next(iter(sizes), "").partition("/")[0]
    name = f"{folder}/data.pkl"
    if name not in sizes:
        raise UnusableTorchFileError(_explain_archive(list(sizes)))
    if f"{folder}/constants.pkl" in sizes or any("/code/" in entry for entry in sizes):
        raise UnusableTorchFileError(
            "it is a TorchScript program, which is code; save the state dict of its model"
        )
    if sizes[name] > MAX_PICKLE_BYTES:
        raise TorchFileError(f"its description of the tensors has {sizes[name]} bytes")
    data = archive.read(name)
    check_opcodes(data, persistent_ids=True)
    unpickler = _Unpickler(
        data,
        limit=_MAX_SHARING * actual + _FREE_BYTES,
        stored=lambda key: sizes.get(f"{folder}/data/{key}", -1),
    )
    unpickler.content = unpickler.load()
    return unpickler


def _explain_archive(names: list[str]) -> str:
    """Return the reason why a zip archive is not a file of torch."""
    inside = [name for name in names if name.endswith((".pth", ".pt", ".bin", ".safetensors"))]
    if inside:
        return f"it is a zip archive that contains {', '.join(inside[:3])}; unpack it"
    return f"it is a zip archive of other files: {', '.join(names[:3]) or 'none'}"


def _check_legacy(file: BinaryIO) -> _Unpickler:
    data: Any = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    position = 0
    for expected in (_MAGIC, 1001, None):  # the third object describes the machine
        end = _end_of_pickle(data, position)
        found = RestrictedUnpickler(data[position:end], arrays=False).load()
        if expected is not None and found != expected:
            raise TorchFileError(f"it must begin with the numbers of torch, got {short(found)}")
        position = end
    end = _end_of_pickle(data, position, persistent_ids=True)
    unpickler = _Unpickler(data[position:end], limit=_MAX_SHARING * len(data) + _FREE_BYTES)
    unpickler.content = unpickler.load()
    position, end = end, _end_of_pickle(data, end)
    keys = RestrictedUnpickler(data[position:end], arrays=False).load()
    sizes = unpickler.storages
    is_list = isinstance(keys, list) and all(isinstance(key, (str, int)) for key in keys)
    if not is_list or set(map(str, keys)) != set(sizes) or len(keys) != len(sizes):
        raise TorchFileError("its list of storages does not fit its tensors")
    missing = end + sum(8 + size for size in sizes.values()) - len(data)
    if missing > 0:
        raise TorchFileError(f"its last {missing} bytes are missing")
    return unpickler


def _end_of_pickle(data: Any, start: int, *, persistent_ids: bool = False) -> int:
    end = check_opcodes(data, start, persistent_ids=persistent_ids)
    if end - start > MAX_PICKLE_BYTES:
        raise TorchFileError(f"its description of the tensors has {end - start} bytes")
    return end


class _Unpickler(RestrictedUnpickler):
    """Unpickler that knows the size of each tensor instead of its values.

    Args:
        data: Pickle whose opcodes were checked.
        limit: Number of bytes that the tensors may have together.
        stored: Function that returns the size of a storage in the file by its key. If `None`, the
            sizes are not known yet.

    Attributes:
        content: Result of `load`.
        is_plain: Whether the content consists of lists, dictionaries, text and numbers alone, so
            that torch has nothing to add.
        storages: Size of each storage by its key.
    """

    content: Any = None
    is_plain = True

    def __init__(
        self, data: bytes, *, limit: float, stored: Callable[[str], int] | None = None
    ) -> None:
        super().__init__(data, arrays=False)
        self._readable = "tensors, containers, strings and numbers"
        self._limit, self._stored = limit, stored
        self.storages: dict[str, int] = {}
        rebuild: dict[str, Any] = {
            "_rebuild_tensor": self._tensor,
            "_rebuild_tensor_v2": self._tensor,
            "_rebuild_tensor_v3": self._tensor_with_type,
            "_rebuild_parameter": self._parameter,
            "_rebuild_parameter_with_state": self._parameter,
        }
        known: dict[tuple[str, str], Any] = {
            **{("torch._utils", name): function for name, function in rebuild.items()},
            ("torch", "Size"): self._size,
            ("torch", "device"): _nothing,
            ("collections", "Counter"): self._counter,
            ("_codecs", "encode"): self.encode,
            ("argparse", "Namespace"): _Attributes,
            ("numpy", "dtype"): checked_dtype,
        }
        for core in ("core", "_core"):
            known[f"numpy.{core}.multiarray", "scalar"] = checked_scalar
        for module in ("builtins", "__builtin__"):
            known[module, "bytearray"] = self._bytearray
            known[module, "complex"] = _complex
        self.learn(known)

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return the type of a storage or a number, or the checked function of a global name."""
        self.is_plain = False
        if module_name in _MODULES or module_name == "torch.storage":
            item_size = _ITEM_SIZES.get(global_name.removesuffix("Storage"))
            if global_name.endswith("Storage") and item_size is not None:
                return _StorageType(item_size)
            dtype = vars(torch).get(global_name)
            if isinstance(dtype, torch.dtype):
                return _StorageType(dtype.itemsize)
        if global_name in _UNSUPPORTED and module_name in ("torch._utils", "torch._tensor"):
            raise UnusableTorchFileError(
                f"it contains {_UNSUPPORTED[global_name]}, which no model here takes; save "
                "ordinary dense tensors"
            )
        return super().find_class(module_name, global_name)

    def persistent_load(self, pid: Any, /) -> _Storage:
        """Return the size of the storage that a pickle refers to."""
        kind, storage_type, key, _, count, *view = pid if isinstance(pid, tuple) else (None,) * 5
        is_number = type(count) is int and count >= 0 and isinstance(key, (str, int))
        if kind != "storage" or not isinstance(storage_type, _StorageType) or not is_number:
            raise RefusedPickleError(f"it refers to an object other than a storage: {short(pid)}")
        size = count * storage_type.item_size
        stored = size if self._stored is None else self._stored(str(key))
        if stored < 0:
            raise TorchFileError(f"the values of the storage {short(key)} are not in the file")
        if stored != size or self.storages.setdefault(str(key), size) != size:
            raise TorchFileError(f"the storage {short(key)} must have {size} bytes, got {stored}")
        if view and view[0] is not None:
            _, offset, count = view[0]
            if offset + count > size // max(storage_type.item_size, 1) or offset < 0 or count < 0:
                raise TorchFileError(f"a part of the storage {short(key)} is outside of it")
            size = count * storage_type.item_size
        return _Storage(size, storage_type.item_size)

    def _tensor(
        self,
        storage: Any,
        offset: int,
        shape: Any,
        stride: Any,
        requires_grad: bool = False,
        hooks: Any = None,
        metadata: Any = None,
    ) -> _Tensor:
        if not isinstance(storage, _Storage) or hooks or metadata:
            raise RefusedPickleError("it has a tensor without a storage, or with hooks")
        if len(shape) != len(stride) or len(shape) > _MAX_DIMENSIONS:
            raise TorchFileError(f"a tensor has shape {short(shape)} and strides {short(stride)}")
        if not all(type(n) is int and 0 <= n < 2**63 for n in (offset, *shape, *stride)):
            raise TorchFileError(f"a tensor has the shape {short(shape)}, which is not possible")
        item_size = storage.item_size
        count = math.prod(shape)
        last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
        if count and (last + 1) * item_size > storage.size:
            raise TorchFileError(
                f"a tensor of shape {short(tuple(shape))} needs {(last + 1) * item_size} bytes, "
                f"but its storage has {storage.size}"
            )
        self._limit -= count * item_size
        if self._limit < 0:
            raise TorchFileError(
                "its tensors are many times larger than the file, because they share their values"
            )
        return _Tensor()

    def _tensor_with_type(
        self,
        storage: Any,
        offset: int,
        shape: Any,
        stride: Any,
        requires_grad: bool,
        hooks: Any,
        dtype: Any,
        metadata: Any = None,
    ) -> _Tensor:
        if not isinstance(storage, _Storage) or not isinstance(dtype, _StorageType):
            raise RefusedPickleError("it has a tensor without a storage or a type")
        typed = _Storage(storage.size, dtype.item_size)
        return self._tensor(typed, offset, shape, stride, requires_grad, hooks, metadata)

    def _size(self, numbers: Any = ()) -> tuple[Any, ...]:
        if not isinstance(numbers, (list, tuple)) or not all(type(n) is int for n in numbers):
            raise RefusedPickleError("it has a size that is not made of numbers")
        self.spend(len(numbers))
        return tuple(numbers)

    def _parameter(self, data: Any, *options: Any) -> Any:
        if not isinstance(data, _Tensor):
            raise RefusedPickleError("it has a parameter that is not a tensor")
        return data

    def _counter(self, counts: Any = None) -> dict[Any, Any]:
        if not isinstance(counts, (dict, type(None))):
            raise RefusedPickleError("it has a Counter that is not made of a dictionary")
        self.spend(len(counts or ()))
        return dict(counts or {})

    def _bytearray(self, content: Any = b"", encoding: str = "latin-1") -> bytes:
        if isinstance(content, str):
            content = self.encode(content, encoding.replace("-", ""))
        if not isinstance(content, bytes):
            raise RefusedPickleError("it has a bytearray that is not made of bytes")
        self.spend(len(content))
        return content


class _StorageType:
    """Type of the items of a storage."""

    __slots__ = ("item_size",)

    def __init__(self, item_size: int) -> None:
        self.item_size = item_size

    def __setstate__(self, state: Any) -> None:
        raise RefusedPickleError("it modifies a type")


class _Storage(_StorageType):
    """Storage of `size` bytes."""

    __slots__ = ("size",)

    def __init__(self, size: int, item_size: int) -> None:
        super().__init__(item_size)
        self.size = size


class _Tensor:
    """Tensor that is within its storage."""

    def __setstate__(self, state: Any) -> None:
        raise RefusedPickleError("it modifies a tensor")


class _Attributes:
    """Object with attributes, which are plain values."""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise RefusedPickleError("it has attributes that are not a dictionary")


def _nothing(*_: Any) -> None:
    """Return nothing in place of an object without a size."""


def _complex(real: float, imaginary: float) -> complex:
    if not isinstance(real, (int, float)) or not isinstance(imaginary, (int, float)):
        raise RefusedPickleError("it has a complex number that is not made of two numbers")
    return complex(real, imaginary)
