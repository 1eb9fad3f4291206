"""Append predictions to `predictions.jsonl` so that a killed run can resume."""

from __future__ import annotations

import json
import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from vgtoolbox.evaluation import PredictionRecord, iter_predictions
from vgtoolbox.inference.inputs.pairing import Pair
from vgtoolbox.utils.atomic_file import atomic_file, explain_full_disk, remove_leftovers_in
from vgtoolbox.utils.locks import lock_output
from vgtoolbox.utils.text import encode_json

_BLOCK = 2**16


class PredictionLog:
    """File of predictions that grows line by line, used in a `with` block.

    A partially written last line, which a killed run may leave, is removed. The settings of the run
    are saved next to the file as `<file>.run.json`, so that a run with other settings does not
    append to it. While the block runs, no other process can open the same log.

    Args:
        path: Path of the file; an existing file is appended to.
        settings: Plain values that all runs that write to the file must share.

    Raises:
        ValueError: The file was written with other settings, or one of its lines is malformed.
        OutputInUseError: Another process writes to the file.
    """

    def __init__(self, path: str | os.PathLike[str], settings: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._settings = dict(settings)
        self._lock = ExitStack()
        self._file: FileIO | None = None

    def __enter__(self) -> PredictionLog:
        with ExitStack() as stack:
            stack.enter_context(lock_output(self.path))
            remove_leftovers_in(self.path.parent)
            self._check_settings()
            self._file = self.path.open("ab", buffering=0)
            _remove_partial_line(self.path)
            self._lock = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()
        self._file = None
        self._lock.close()

    def counts(self) -> Counter[tuple[str, str]]:
        """Count the lines of each (image, expression)."""
        return Counter((r["image"], r["expression"]) for r in iter_predictions(self.path))

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Append lines and flush them to the operating system.

        Raises:
            OSError: The file cannot be written; it keeps its previous lines. If the disk is full,
                the message says so.
        """
        if self._file is None:
            raise ValueError(f"{self.path} is not open; use the log in a `with` block")
        content = b"".join(encode_json(record) + b"\n" for record in records)
        size = self.path.stat().st_size
        try:
            written = 0
            while written < len(content):
                written += self._file.write(content[written:])
        except OSError as error:
            self._file.truncate(size)
            full = explain_full_disk(error, self.path, size, size + len(content))
            if full is not None:
                raise full from error
            raise

    def _check_settings(self) -> None:
        note = self.path.with_name(f"{self.path.name}.run.json")
        if self.path.is_file() and note.is_file():
            before = json.loads(note.read_text(encoding="utf-8"))
            changed = [key for key in self._settings if before.get(key) != self._settings[key]]
            if changed:
                key = changed[0]
                raise ValueError(
                    f"{self.path} was written with {key} = {before.get(key)!r}, this run has "
                    f"{self._settings[key]!r}; write to another file, or remove this one"
                )
            return
        with atomic_file(note) as file:
            file.write(encode_json(self._settings, indent=1))


def remaining_pairs(
    pairs: Sequence[Pair], names: Sequence[str], done: Mapping[tuple[str, str], int]
) -> list[int]:
    """Return the positions of the pairs without a line; a pair given twice needs two lines.

    Args:
        pairs: All pairs of image and expression.
        names: Name of each pair's image.
        done: Number of lines of each (name, expression).
    """
    left = Counter(done)
    positions = []
    for position, ((_, expression), name) in enumerate(zip(pairs, names, strict=True)):
        if left[name, expression] > 0:
            left[name, expression] -= 1
        else:
            positions.append(position)
    wanted = set(zip(names, (expression for _, expression in pairs), strict=True))
    doubled = {key: count for key, count in left.items() if count > 0 and key in wanted}
    if doubled:
        (name, expression), _ = next(iter(doubled.items()))
        warnings.warn(
            f"the prediction file has {sum(doubled.values())} lines too many, for example for "
            f"{expression!r} in {name}: several runs may have written it at once. Remove the file "
            "to start again",
            stacklevel=2,
        )
    return positions


def _remove_partial_line(path: Path) -> None:
    """Remove the text after the last line break of a file."""
    with path.open("rb+") as file:
        end = file.seek(0, os.SEEK_END)
        position = end
        while position > 0:
            start = max(0, position - _BLOCK)
            file.seek(start)
            found = file.read(position - start).rfind(b"\n")
            if found >= 0:
                position = start + found + 1
                break
            position = start
        if position != end:
            file.truncate(position)
