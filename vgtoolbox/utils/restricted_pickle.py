"""Read pickles of other people without running what they may carry.

A pickle is a program: loading one from the net can call any function. RefCOCO's `refs(*.p)` hold
lists, dicts, strings and numbers, which need no call at all; detectron2's weights hold NumPy arrays
besides, which need a few calls that only make arrays. Everything else is refused.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

_BUILTINS = ("builtins", "__builtin__")  # the second is Python 2's name
_CONTAINERS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    **{(module, kind.__name__): kind for module in _BUILTINS for kind in (set, frozenset)},
}

# What the standard unpickler raises, besides its own error, where bytes make no sense.
_STUMBLES = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
)


class RefusedPickleError(pickle.UnpicklingError):
    """A pickle holds something other than containers, strings, numbers and, if allowed, arrays."""


def _encode(text: str, encoding: str) -> bytes:
    """Make the bytes that a pickle of protocol 2 writes as text."""
    if encoding != "latin1":
        raise RefusedPickleError(f"it asks for the codec {encoding!r}")
    return text.encode(encoding)


# What makes an array is private in NumPy, but any array names it.
_RECONSTRUCT = np.zeros(1).__reduce__()[0]
_FROM_BUFFER = np.zeros(1).__reduce_ex__(5)[0]
_SCALAR = np.float32(0).__reduce__()[0]
_ARRAYS: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _encode,
}
for _core in ("numpy.core", "numpy._core"):  # of NumPy 1 and of NumPy 2
    _ARRAYS |= {
        (f"{_core}.multiarray", "_reconstruct"): _RECONSTRUCT,
        (f"{_core}.multiarray", "scalar"): _SCALAR,
        (f"{_core}.numeric", "_frombuffer"): _FROM_BUFFER,
    }


class _RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that knows no global but those of a table."""

    known = _CONTAINERS
    readable = "containers, strings and numbers"

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return self.known[module_name, global_name]
        except KeyError:
            raise RefusedPickleError(
                f"it asks for the global '{module_name}.{global_name}'; only {self.readable} are "
                "read from pickles"
            ) from None


class _ArrayUnpickler(_RestrictedUnpickler):
    """One that makes NumPy arrays, and NumPy's numbers, as well."""

    known = _CONTAINERS | _ARRAYS
    readable = "containers, strings, numbers and arrays"


def load_restricted_pickle(path: str | Path, *, arrays: bool = False) -> Any:
    """Read a pickle that holds containers, strings and numbers only.

    Args:
        path: Written by Python 2 or 3; Python 2's byte strings are read as UTF-8.
        arrays: Read NumPy arrays too. Python 2's are not, since their bytes are no UTF-8.

    Raises:
        RefusedPickleError: It asks for any other class or function; nothing of it has run.
        pickle.UnpicklingError: It is truncated, or no pickle.
    """
    unpickler = _ArrayUnpickler if arrays else _RestrictedUnpickler
    with Path(path).open("rb") as file:
        try:
            return unpickler(file, encoding="utf-8").load()
        except RefusedPickleError as error:
            raise RefusedPickleError(
                f"{path} was not read: {error}. If you trust the file, convert it to JSON with a "
                "script of your own"
            ) from None
        except _STUMBLES as error:
            raise pickle.UnpicklingError(
                f"{path} is truncated or no pickle ({error}); fetch the official file again"
            ) from error
