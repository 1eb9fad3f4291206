"""Bound how often a value of a pickle uses its own parts.

A pickle may use one list in many places, and lists of such lists again: a few hundred bytes make a
value that takes forever to print, compare or copy, and a long polygon that is used a thousand times
takes as long as a thousand polygons. Data files have no need of that.
"""

from __future__ import annotations

from itertools import chain, compress
from typing import Any

_CONTAINERS = (list, tuple, set, frozenset, dict)
_PER_BYTE = 4
_FREE = 100_000


class SharedPartsError(ValueError):
    """A value is much larger than its file, because it uses its parts many times."""


def check_shared_parts(value: Any, file_size: int, *, depth: int | None = None) -> None:
    """Raise if a value is much larger than its file when each use of a part is counted.

    Args:
        value: Nested lists, tuples, sets and dictionaries; their other members count as one each.
        file_size: Size of the file in bytes. Without shared parts, no value has more members.
        depth: Number of levels whose members are visited; the members of the next level are only
            counted, which is faster. If `None`, all levels are visited.

    Raises:
        SharedPartsError: The value has more than four members per byte, or contains itself.
    """
    remaining = _PER_BYTE * file_size + _FREE
    level = [value] if isinstance(value, _CONTAINERS) else []
    while level:
        remaining -= sum(map(len, level))
        if remaining < 0:
            raise SharedPartsError("it uses its own parts too often")
        if depth is not None:
            depth -= 1
        level = [] if depth is not None and depth < 0 else _containers_in(level)


def _containers_in(level: list[Any]) -> list[Any]:
    """Return the containers among the members of containers; keys of dictionaries do not count."""
    mappings = [node for node in level if isinstance(node, dict)]
    others = [node for node in level if not isinstance(node, dict)] if mappings else level
    # Without a loop in Python over all members: a large file has millions.
    members = list(chain(*map(dict.values, mappings), *others))
    types = list(map(type, members))
    wanted = {kind for kind in set(types) if issubclass(kind, _CONTAINERS)}
    return list(compress(members, map(wanted.__contains__, types)))
