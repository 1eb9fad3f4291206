"""Read the pickles of the official annotations without running what they may carry.

A pickle is a program: loading one from the net can call any function. RefCOCO's `refs(*.p)` hold
lists, dicts, strings and numbers, which need no call at all, so everything else is refused.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, BinaryIO

_BUILTINS = ("builtins", "__builtin__")  # the second is Python 2's name
_ALLOWED = frozenset(
    [(module, name) for module in _BUILTINS for name in ("set", "frozenset")]
    + [("collections", "OrderedDict")]
)


class RefusedPickleError(pickle.UnpicklingError):
    """A pickle holds something other than containers, strings and numbers."""


class _RestrictedUnpickler(pickle.Unpickler):
    """An unpickler that resolves no global but plain containers."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if (module_name, global_name) not in _ALLOWED:
            raise RefusedPickleError(
                f"it asks for the global '{module_name}.{global_name}'; only containers, strings "
                "and numbers are read from pickles"
            )
        return super().find_class(module_name, global_name)


def load_restricted_pickle(path: str | Path) -> Any:
    """Read a pickle that holds containers, strings and numbers only.

    Args:
        path: Written by Python 2 or 3; Python 2's byte strings are read as UTF-8.

    Raises:
        RefusedPickleError: It asks for any other class or function; nothing of it has run.
        pickle.UnpicklingError: It is truncated, or no pickle.
    """
    with Path(path).open("rb") as file:
        try:
            return _load(file)
        except RefusedPickleError as error:
            raise RefusedPickleError(
                f"{path} was not read: {error}. If you trust the file, convert it to JSON with a "
                "script of your own"
            ) from None
        except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError) as error:
            raise pickle.UnpicklingError(
                f"{path} is truncated or no pickle ({error}); fetch the official file again"
            ) from error


def _load(file: BinaryIO) -> Any:
    return _RestrictedUnpickler(file, encoding="utf-8").load()
