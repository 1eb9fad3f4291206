"""Check that an option has one of its allowed values."""

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
