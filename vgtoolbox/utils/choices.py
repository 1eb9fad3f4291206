"""Check that an option has an allowed value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Raise unless `value` is one of `choices`.

    Args:
        name: Name of the option, for the error.
        value: Value of the option.
        choices: Allowed values, usually `typing.get_args` of a `Literal`.

    Raises:
        ValueError: `value` is not allowed; the message lists the allowed values.
    """
    allowed = tuple(choices)
    if value in allowed:
        return
    *others, last = map(repr, allowed)
    listed = f"{', '.join(others)} or {last}" if others else last
    raise ValueError(f"{name} must be {listed}, got {value!r}")


def check_fraction(name: str, value: float) -> None:
    """Raise unless `value` is a number in [0, 1].

    Args:
        name: Name of the option, for the error.
        value: Value of the option.

    Raises:
        ValueError: `value` is smaller than 0, larger than 1 or NaN.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be between 0 and 1, got {value}")
