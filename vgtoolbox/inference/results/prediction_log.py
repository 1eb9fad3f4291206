"""`predictions.jsonl` that grows by a line at a time, and outlives a kill at any moment."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from vgtoolbox.evaluation import PredictionRecord, iter_predictions
from vgtoolbox.inference.inputs.pairing import Pair
from vgtoolbox.utils.atomic_file import atomic_file

_BLOCK = 2**16


class PredictionLog:
    """A growing file of predictions, in a `with` block.

    A line is complete once it ends; the torso that a killed run may leave is cut off. Beside the
    file stands `<file>.run.json`, which says what made it, so that no other model goes on with it.

    Args:
        path: Of the file; what stands there is gone on with.
        made_by: What a run must share with that which began the file, as plain values.

    Raises:
        ValueError: It was begun by something else, or a line of it is broken.
    """

    def __init__(self, path: str | os.PathLike[str], made_by: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self._made_by = dict(made_by)
        self._file: BinaryIO | None = None

    def __enter__(self) -> PredictionLog:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._check_maker()
        self._file = self.path.open("ab")
        _cut_torso(self.path)
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

    def done(self) -> Counter[tuple[str, str]]:
        """Count how often each (image, expression) stands in the file."""
        return Counter((r["image"], r["expression"]) for r in iter_predictions(self.path))

    def append(self, records: Sequence[PredictionRecord]) -> None:
        """Write lines, and hand them to the operating system at once."""
        if self._file is None:
            raise ValueError(f"{self.path} is not open; use the log in a `with` block")
        lines = [json.dumps(r, ensure_ascii=False, allow_nan=False) for r in records]
        self._file.write("".join(f"{line}\n" for line in lines).encode())
        self._file.flush()

    def _check_maker(self) -> None:
        note = self.path.with_name(f"{self.path.name}.run.json")
        if self.path.is_file() and note.is_file():
            before = json.loads(note.read_text(encoding="utf-8"))
            changed = [key for key in self._made_by if before.get(key) != self._made_by[key]]
            if changed:
                key = changed[0]
                raise ValueError(
                    f"{self.path} was begun with {key} = {before.get(key)!r}, this run has "
                    f"{self._made_by[key]!r}; write to another file, or remove this one"
                )
            return
        with atomic_file(note) as file:
            file.write(json.dumps(self._made_by, ensure_ascii=False, indent=1).encode())


def remaining_pairs(
    pairs: Sequence[Pair], names: Sequence[str], done: Mapping[tuple[str, str], int]
) -> list[int]:
    """Return the positions of the pairs that are not done; one that is asked twice is done twice.

    Args:
        pairs: All of them.
        names: Of their images.
        done: How often each (name, expression) is.
    """
    left = Counter(done)
    positions = []
    for position, ((_, expression), name) in enumerate(zip(pairs, names, strict=True)):
        if left[name, expression] > 0:
            left[name, expression] -= 1
        else:
            positions.append(position)
    return positions


def _cut_torso(path: Path) -> None:
    """Cut off what follows the last line break of a file."""
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
