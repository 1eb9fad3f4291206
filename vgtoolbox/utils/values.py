"""Test and describe values of unknown type, as those of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Real
from reprlib import Repr
from typing import Any

# A value of a pickle can use its parts so often that its whole `repr` takes forever.
_SHORT = Repr()
_SHORT.maxlevel = 3
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = _SHORT.maxset = _SHORT.maxfrozenset = 30
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 200


def describe(value: Any) -> str:
    """Describe a value of unknown size and depth in a few words."""
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return f"{type(value).__name__} of {len(value)}"
    return f"{type(value).__name__} {excerpt(value, 60)}"


def excerpt(value: Any, length: int = 99) -> str:
    """Return the beginning of the `repr` of a value."""
    try:
        text = _SHORT.repr(value)
    except ValueError:  # an integer of thousands of digits
        return "an integer that is too long to print"
    return text if len(text) <= length else f"{text[: length - 3]}..."


def are_numbers(values: Iterable[Any]) -> bool:
    """Return whether all values are numbers; True and False are not."""
    kinds = set(map(type, values))
    return kinds <= {int, float} or all(
        issubclass(kind, Real) and not issubclass(kind, bool) for kind in kinds
    )
