"""Definition of a reader under test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple


def nothing(folder: Path) -> None:
    """Prepare no other file."""


class Target(NamedTuple):
    """Reader under test.

    Attributes:
        file: Name of the file that is fuzzed, below the folder of the run.
        run: Function that reads the folder and uses all that it has read.
        errors: Documented errors of the reader. Anything else that it raises is a finding.
        prepare: Function that writes the other files that the reader needs.
        names_file: Whether an error must name a file, a part of the folder's path.
    """

    file: str
    run: Callable[[Path], None]
    errors: tuple[type[Exception], ...]
    prepare: Callable[[Path], None] = nothing
    names_file: bool = True


class ImpossibleValueError(Exception):
    """A reader accepted a file and returned values that cannot be true."""
