"""Store the records of a dataset in a few arrays that worker processes share.

With a list of dicts, each worker process ends up with its own copy: reading a Python object writes
its reference count, which copies the memory page (pytorch issue 13246). An array is one object.
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
    """Read-only sequence of values; `table[i]` is a new copy of the i-th value.

    Forked processes share it directly. The arrays are tensors because torch sends tensors to
    spawned processes as handles of shared memory.

    Args:
        values: Values that can be pickled.
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        pieces = [pickle.dumps(value, protocol=4) for value in values]
        ends = np.fromiter(accumulate(map(len, pieces)), np.int64, len(pieces))
        self._bytes = torch.from_numpy(np.frombuffer(bytearray().join(pieces), np.uint8))
        self._ends = torch.from_numpy(ends)

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> Any:
        ends = self._ends.numpy()  # indexing a tensor takes several times as long
        start = ends[index - 1] if index else 0
        # Only bytes that the constructor wrote are unpickled here, never a file.
        return pickle.loads(self._bytes.numpy()[start : ends[index]].data)

    @property
    def nbytes(self) -> int:
        """Size of the arrays in bytes."""
        return self._bytes.nbytes + self._ends.nbytes


class RecordIndex(Sequence[Record]):
    """Read-only sequence of records; `index[i]` is a new copy of the i-th record.

    A target that many expressions name, if the reader uses one object for it, is stored once.

    Args:
        records: Records of a dataset.
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
        """Return the value of `key` in each record, without decoding the targets."""
        return [self._records[position][key] for position in self._order.tolist()]

    def subset(self, indices: int | Sequence[int]) -> RecordIndex:
        """Return some of the records, which share the arrays.

        Args:
            indices: Number of first records (or last records, if negative), or their positions.
        """
        chosen = copy.copy(self)
        if isinstance(indices, int):
            part = slice(None, indices) if indices >= 0 else slice(indices, None)
            chosen._order = self._order[part]
        else:
            chosen._order = self._order[np.asarray(indices, np.int64)]
        return chosen

    @property
    def nbytes(self) -> int:
        """Size in bytes; worker processes need no copy of it."""
        return self._records.nbytes + self._targets.nbytes + self._order.nbytes

    def __deepcopy__(self, memo: dict[int, Any]) -> RecordIndex:
        return self  # immutable


def _intern(items: Iterable[Any], table: list[Any], positions: dict[int, int]) -> list[int]:
    """Append objects that `table` does not contain yet; return the position of each."""
    found = []
    for item in items:
        position = positions.setdefault(id(item), len(table))
        if position == len(table):
            table.append(item)
        found.append(position)
    return found
