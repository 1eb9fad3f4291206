"""Batches that are the same for any number of processes, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import Any

from mmengine.dataset import DefaultSampler
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from vgtoolbox.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class FixedBatchSampler(Sampler[list[int]]):
    """Batches of one process, dealt out to all processes as a whole.

    A batch determines the size of its padding and the order of its sums. With the same batches, the
    predictions of any number of processes are those of one process, to the last bit.

    Args:
        sampler: `DefaultSampler` or a subclass, whose order for one process is used. Other samplers
            keep their own share of samples for each process.
        batch_size: Samples per batch.
    """

    def __init__(self, sampler: Any, batch_size: int) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, got {batch_size}")
        self.sampler = sampler
        self.batch_size = batch_size
        self._rank, self._world_size = get_dist_info()

    def __iter__(self) -> Iterator[list[int]]:
        if not isinstance(self.sampler, DefaultSampler):
            yield from _in_batches(list(self.sampler), self.batch_size)
            return
        batches = _in_batches(list(_for_one_process(self.sampler)), self.batch_size)
        for number in share_of_batches(len(batches), self._rank, self._world_size):
            yield batches[number]

    def __len__(self) -> int:
        if not isinstance(self.sampler, DefaultSampler):
            return -(-len(self.sampler) // self.batch_size)
        return -(-len(self.sampler.dataset) // self.batch_size // self._world_size)


def share_of_batches(count: int, rank: int, world_size: int) -> list[int]:
    """Return the numbers of the batches of a process, the same count for every process.

    Sharded models communicate in each batch, so a process without a batch would block the others.
    The first batches are repeated instead; metrics count a repeated sample once.

    Args:
        count: Number of batches.
        rank: Number of the process.
        world_size: Number of processes.
    """
    each = -(-count // world_size)
    return [number % count for number in range(rank, each * world_size, world_size)]


def _for_one_process(sampler: DefaultSampler) -> DefaultSampler:
    """Return a copy of a sampler that yields the samples of all processes."""
    alone = copy(sampler)
    alone.rank, alone.world_size = 0, 1
    alone.num_samples = alone.total_size = len(sampler.dataset)
    return alone


def _in_batches(order: list[int], batch_size: int) -> list[list[int]]:
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
