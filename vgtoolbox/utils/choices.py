"""Check that an option has an allowed value."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class OptionError(ValueError):
    """Error for an option of a user whose value is not allowed."""


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Raise unless `value` is one of `choices`.

    Args:
        name: Name of the option, for the error.
        value: Value of the option.
        choices: Allowed values, usually `typing.get_args` of a `Literal`.

    Raises:
        OptionError: `value` is not allowed; the message lists the allowed values.
    """
    allowed = tuple(choices)
    if value in allowed:
        return
    *others, last = map(repr, allowed)
    listed = f"{', '.join(others)} or {last}" if others else last
    near = did_you_mean(value, filter(_is_text, allowed)) if _is_text(value) else ""
    raise OptionError(f"{name} must be {listed}, got {value!r}{near}")


def check_fraction(name: str, value: float) -> None:
    """Raise unless `value` is a number in [0, 1].

    Args:
        name: Name of the option, for the error.
        value: Value of the option.

    Raises:
        OptionError: `value` is smaller than 0, larger than 1 or NaN.
    """
    if not 0 <= value <= 1:
        raise OptionError(f"{name} must be between 0 and 1, got {value}")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return "; did you mean 'testA'?" for the nearest of `names`, or an empty text.

    Args:
        name: Unknown name.
        names: Known names.
    """
    others = [other for other in names if other != name]
    same = [other for other in others if _plain(other) == _plain(name)]
    near = same or get_close_matches(name, others, n=1, cutoff=0.7)
    return f"; did you mean {near[0]!r}?" if near else ""


def is_nearly(name: str, other: str) -> bool:
    """Return whether two different names differ by one edit, or only by case and punctuation.

    An edit inserts, drops or replaces a character, or exchanges two neighbors.
    """
    if name == other:
        return False
    return _plain(name) == _plain(other) or _is_one_edit(name.lower(), other.lower())


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _is_one_edit(name: str, other: str) -> bool:
    if abs(len(name) - len(other)) > 1:
        return False
    start = _common_length(name, other)
    one, two = name[start:][::-1], other[start:][::-1]
    end = _common_length(one, two)
    one, two = one[end:], two[end:]
    return max(len(one), len(two)) <= 1 or (len(one) == 2 and one == two[::-1])


def _common_length(one: str, two: str) -> int:
    """Return the length of the common beginning of two texts."""
    pairs = zip(one, two, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(two)))
