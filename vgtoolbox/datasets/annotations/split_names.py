"""Recognize misspelled names of splits."""

from __future__ import annotations

import re

from vgtoolbox.utils.choices import is_nearly

USUAL_SPLITS = ("train", "val", "test", "testA", "testB", "testC", "trainval")
"""Names of splits in published benchmarks."""

# Further names that are one edit from a usual one: parts ("test2", "test_D") and "eval".
_INTENDED = re.compile(r"(?:train|val|test)[-_]?(?:[0-9]+|[A-Z])|eval")


def is_misspelled(split: str) -> bool:
    """Return whether the name of a split is probably a misspelled usual one."""
    return intended_split(split) is not None


def intended_split(split: str) -> str | None:
    """Return the usual name that a name differs from by one edit, by case or by punctuation.

    Args:
        split: Name of a split.

    Returns:
        The usual name, or `None` if the name is a usual one, or resembles none of them.
    """
    if split in USUAL_SPLITS or _INTENDED.fullmatch(split):
        return None
    near = [usual for usual in USUAL_SPLITS if is_nearly(split, usual)]
    letters = "".join(filter(str.isalnum, split)).lower()
    same = [usual for usual in near if usual.lower() == letters]
    return next(iter(same + near), None)
