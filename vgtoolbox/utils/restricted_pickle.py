"""Load pickles from untrusted sources without running what they may contain.

A pickle is a program: loading one can call any function. RefCOCO's `refs(*.p)` hold lists, dicts,
strings and numbers, which need no call at all; detectron2's weights also hold NumPy arrays, which
need a few calls. Here these calls are replaced by functions that check their arguments and can make
nothing but numeric arrays. Everything else is refused.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from reprlib import repr as short  # parts may be shared so often that repr never ends
from typing import Any

import numpy as np

from vgtoolbox.utils.pickle_opcodes import PickleOpcodeError, check_opcodes
from vgtoolbox.utils.shared_parts import check_shared_parts

_BUILTINS = ("builtins", "__builtin__")  # the second is Python 2's name
_NUMPY_CORES = ("numpy.core", "numpy._core")  # of NumPy 1 and of NumPy 2
_NUMERIC_KINDS = "biufc"
_NUMERIC_TYPE = re.compile(r"[<>|=]?[biufc?]\d{0,2}")
_COPIES_PER_BYTE = (
    4  # a pickle of protocol 2 writes bytes as text, which is decoded and then copied
)

# Errors that the standard unpickler raises for malformed bytes.
DECODER_ERRORS = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    RecursionError,
    NotImplementedError,
    ImportError,
    PickleOpcodeError,
)


class RefusedPickleError(pickle.UnpicklingError):
    """A pickle holds something other than containers, strings, numbers and, if allowed, arrays."""


class DamagedPickleError(pickle.UnpicklingError):
    """A pickle is truncated or malformed, or wants more memory than a file of its size needs."""


class CheckedDtype:
    """Stand-in for `numpy.dtype` that accepts plain numeric types only.

    Args:
        name: Type string, such as `f4`.
    """

    __slots__ = ("dtype",)

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not _NUMERIC_TYPE.fullmatch(name):
            raise RefusedPickleError(f"it has an array of type {short(name)}, which is not numeric")
        self.dtype = np.dtype(name)
        if self.dtype.kind not in _NUMERIC_KINDS:  # "c" is a character
            raise RefusedPickleError(f"it has an array of type {short(name)}, which is not numeric")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Take the byte order; fields, subarrays and metadata are refused."""
        _, byte_order, *rest = state
        if byte_order not in ("<", ">", "|", "=") or any(rest[:3]) or len(rest) != 6:
            raise RefusedPickleError("it has an array of a structured type, which is not numeric")
        self.dtype = self.dtype.newbyteorder(byte_order)


class _Array(np.ndarray):
    """Array that checks the state that a pickle gives it."""

    spend: Callable[[int], None] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        version, shape, dtype, is_fortran, data = state
        checked = _dtype_of(dtype)
        if not isinstance(data, bytes) or self.spend is None:
            raise RefusedPickleError("it has an array that does not consist of numbers")
        if not isinstance(shape, tuple) or not all(type(n) is int and n >= 0 for n in shape):
            raise RefusedPickleError(f"it has an array of the shape {short(shape)}")
        if math.prod(shape) * checked.itemsize != len(data):
            raise RefusedPickleError("it has an array whose shape does not fit its bytes")
        self.spend(len(data))
        self.spend = None  # a second state would not be an array of NumPy's
        super().__setstate__((version, shape, checked, is_fortran, data))


class CheckedGlobal:
    """Object that a pickle knows by its global name. Unlike a function, it can't be modified.

    Args:
        function: Function that is called with the arguments in the pickle. If `None`, the object
            is only an argument of others.
    """

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any] | None = None) -> None:
        self._function = function

    def __call__(self, *args: Any) -> Any:
        """Call the function with the arguments in the pickle."""
        if self._function is None:
            raise RefusedPickleError("it calls a type that is not a function")
        return self._function(*args)

    def __setstate__(self, state: Any) -> None:
        raise RefusedPickleError("it modifies a function")


class _Ordered(OrderedDict[Any, Any]):
    """Ordered dictionary whose attributes a pickle can't replace, e.g. `items`."""

    def __setstate__(self, state: Any) -> None:
        """Ignore the attributes, such as the versions that torch stores with a state dict."""


_ARRAY_TYPE = CheckedGlobal()
"""Result of looking `numpy.ndarray` up: an argument of `_reconstruct`, and not callable."""


class RestrictedUnpickler(pickle.Unpickler):
    """Unpickler that knows only the functions below.

    Args:
        data: Pickle whose opcodes were checked.
        arrays: Whether NumPy arrays and scalars are known.
    """

    def __init__(self, data: bytes, *, arrays: bool) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")
        self._readable = "containers, strings, numbers" + (" and arrays" if arrays else "")
        # Shared parts may be given to a function many times: what all calls copy is bounded.
        self._budget = _COPIES_PER_BYTE * len(data)
        known: dict[tuple[str, str], Any] = {("collections", "OrderedDict"): self._ordered}
        for module in _BUILTINS:
            known[module, "set"] = self._set
            known[module, "frozenset"] = self._frozenset
        if arrays:
            known |= self._array_functions()
        self._known: dict[tuple[str, str], Any] = {}
        self.learn(known)

    def learn(self, functions: Mapping[tuple[str, str], Any]) -> None:
        """Add functions and classes that check their arguments, by module and name."""
        self._known |= {
            name: value if isinstance(value, (CheckedGlobal, type)) else CheckedGlobal(value)
            for name, value in functions.items()
        }

    def _array_functions(self) -> dict[tuple[str, str], Any]:
        known: dict[tuple[str, str], Any] = {
            ("numpy", "ndarray"): _ARRAY_TYPE,
            ("numpy", "dtype"): checked_dtype,
            ("_codecs", "encode"): self.encode,
        }
        for module in _BUILTINS:
            known[module, "bytes"] = _no_bytes
        for core in _NUMPY_CORES:
            known[f"{core}.multiarray", "_reconstruct"] = self._reconstruct
            known[f"{core}.multiarray", "scalar"] = checked_scalar
            known[f"{core}.numeric", "_frombuffer"] = self._from_buffer
        return known

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return the checked function of a global name."""
        try:
            return self._known[module_name, global_name]
        except KeyError:
            raise RefusedPickleError(
                f"it asks for the global '{module_name}.{global_name}'; only {self._readable} are "
                "read from pickles"
            ) from None

    def spend(self, amount: int) -> None:
        """Count bytes or items that a function copies.

        Raises:
            RefusedPickleError: The functions copy several times more than the pickle contains.
        """
        self._budget -= amount
        if self._budget < 0:
            raise RefusedPickleError("it makes more copies of its parts than it has bytes")

    def _members(self, items: Iterable[Any]) -> list[Any]:
        if not isinstance(items, list):
            raise RefusedPickleError(f"a set is made of a list, got {type(items).__name__}")
        self.spend(len(items))
        for item in items:
            _check_key(item)
        return items

    def _set(self, items: Iterable[Any] = ()) -> set[Any]:
        return set(self._members(items or []))

    def _frozenset(self, items: Iterable[Any] = ()) -> frozenset[Any]:
        return frozenset(self._members(items or []))

    def _ordered(self, pairs: Iterable[Any] = ()) -> OrderedDict[Any, Any]:
        items = pairs if isinstance(pairs, list) else []
        self.spend(len(items))
        for key, _ in items:
            _check_key(key)
        return _Ordered(items)

    def _reconstruct(self, kind: Any, shape: tuple[int, ...], typecode: bytes) -> _Array:
        """Make the empty array that a pickle then gives its state."""
        if kind is not _ARRAY_TYPE or shape != (0,):
            raise RefusedPickleError("it has an array of a class that is not NumPy's")
        array = _Array.__new__(_Array, (0,), np.int8)
        array.spend = self.spend
        return array

    def encode(self, text: str, encoding: str) -> bytes:
        """Make the bytes that a pickle of protocol 2 writes as text."""
        if encoding != "latin1" or not isinstance(text, str):
            raise RefusedPickleError(f"it asks for the codec {short(encoding)}")
        self.spend(len(text))
        return text.encode("latin1")

    def _from_buffer(
        self, data: bytes | bytearray, dtype: CheckedDtype, shape: tuple[int, ...], order: str
    ) -> np.ndarray:
        if not isinstance(data, (bytes, bytearray)) or order not in ("C", "F"):
            raise RefusedPickleError("it has an array that does not consist of numbers")
        self.spend(len(data))
        flat = np.frombuffer(data, _dtype_of(dtype))
        array = np.reshape(flat, shape, order="F" if order == "F" else "C").copy()
        return array.view(_Array)


def _no_bytes() -> bytes:
    """Make the bytes of an empty array, as a pickle of protocol 2 writes them."""
    return b""


def checked_dtype(name: str, align: bool = False, copy: bool = False) -> CheckedDtype:
    """Make a numeric type, with the arguments of `numpy.dtype` in pickles."""
    return CheckedDtype(name)


def checked_scalar(dtype: CheckedDtype, data: bytes) -> Any:
    """Make a NumPy number, with the arguments of `numpy.core.multiarray.scalar` in pickles."""
    checked = _dtype_of(dtype)
    if not isinstance(data, bytes) or len(data) != checked.itemsize:
        raise RefusedPickleError("it has a number whose bytes do not fit its type")
    return np.frombuffer(data, checked)[0]


def _dtype_of(dtype: Any) -> np.dtype[Any]:
    if not isinstance(dtype, CheckedDtype):
        raise RefusedPickleError("it has an array that does not consist of numbers")
    return dtype.dtype


def _check_key(key: Any) -> None:
    if not isinstance(key, (str, bytes, int, float, bool, type(None), np.number, np.bool_)):
        raise RefusedPickleError(f"it has a key of type {type(key).__name__}")


def load_restricted_pickle(path: str | Path, *, arrays: bool = False) -> Any:
    """Load a pickle that holds containers, strings and numbers only.

    Args:
        path: File written by Python 2 or 3. Python 2's byte strings are decoded as UTF-8.
        arrays: Whether to load numeric NumPy arrays and scalars too. Arrays written by Python 2 are
            not read, because their bytes are not UTF-8.

    Raises:
        RefusedPickleError: The pickle asks for any other class or function. Nothing of it has run.
        DamagedPickleError: The file is truncated, not a pickle, or wants more memory than a file of
            its size needs. Parts that are used many times are found with `arrays` only; for other
            pickles, see `check_shared_parts`.
    """
    data = Path(path).read_bytes()
    try:
        check_opcodes(data)
        value = RestrictedUnpickler(data, arrays=arrays).load()
        if arrays:
            check_shared_parts(value, len(data))
        return value
    except RefusedPickleError as error:
        raise RefusedPickleError(
            f"{path} was not read: {error}. If you trust the file, convert it to JSON with a "
            "script of your own"
        ) from None
    except DECODER_ERRORS as error:
        raise DamagedPickleError(
            f"{path} is truncated or not a pickle ({error}); fetch the official file again"
        ) from error
