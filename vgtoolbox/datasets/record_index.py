"""The records of a data set in a few arrays, which worker processes share.

A list of dicts costs each worker process its own copy in the end: looking at a Python object writes
its reference count, and the memory page goes with it (pytorch issue 13246). An array is one object.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import torch

from vgtoolbox.datasets.records import Record


class SharedTable:
    """A sequence of values, read-only; `table[i]` is a new copy of the i-th.

    Forked processes share it as it is. To spawned ones torch sends tensors as handles of shared
    memory, which is why it holds tensors.
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        pieces = [pickle.dumps(value, protocol=4) for value in values]
        ends = np.fromiter(accumulate(map(len, pieces)), np.int64, len(pieces))
        self._bytes = torch.from_numpy(np.frombuffer(bytearray().join(pieces), np.uint8))
        self._ends = torch.from_numpy(ends)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> Any:
        start = int(self._ends[index - 1]) if index else 0
        # No pickle of others comes here, only what the constructor made.
        return pickle.loads(self._bytes[start : int(self._ends[index])].numpy().data)

    @property
    def nbytes(self) -> int:
        """Size of the arrays."""
        return self._bytes.nbytes + self._ends.nbytes


class RecordIndex(Sequence[Record]):
    """The records of a data set; `index[i]` is a new copy of the i-th.

    A target that many expressions name, one object to the reader, is held once.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        targets: list[Any] = []
        positions: dict[int, int] = {}
        self._records = SharedTable(
            record
            if "targets" not in record
            else {**record, "targets": _intern(record["targets"], targets, positions)}
            for record in records
        )
        self._targets = SharedTable(targets)
        self._order = np.arange(len(self._records))

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: Any) -> Any:
        record = self._records[int(self._order[index])]
        if "targets" in record:
            record["targets"] = [self._targets[position] for position in record["targets"]]
        return record

    def column(self, key: str) -> list[Any]:
        """Return what stands under `key` in all records, without decoding their targets."""
        return [self._records[position][key] for position in self._order.tolist()]

    def subset(self, indices: int | Sequence[int]) -> RecordIndex:
        """Return the first (or, negative, last) so many records, or those at these positions."""
        chosen = copy.copy(self)
        if isinstance(indices, int):
            part = slice(None, indices) if indices >= 0 else slice(indices, None)
            chosen._order = self._order[part]
        else:
            chosen._order = self._order[np.asarray(indices, np.int64)]
        return chosen

    @property
    def nbytes(self) -> int:
        """Size in memory, of which worker processes need no copy."""
        return self._records.nbytes + self._targets.nbytes + self._order.nbytes

    def __deepcopy__(self, memo: dict[int, Any]) -> RecordIndex:
        return self  # nothing in it ever changes


def _intern(items: Iterable[Any], table: list[Any], positions: dict[int, int]) -> list[int]:
    """Put objects that `table` does not hold at its end; return where each stands."""
    found = []
    for item in items:
        position = positions.setdefault(id(item), len(table))
        if position == len(table):
            table.append(item)
        found.append(position)
    return found
