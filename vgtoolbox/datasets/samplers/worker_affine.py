"""Batches in which all samples of an image reach the same worker process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import Sampler

from vgtoolbox.datasets.samplers.image_numbering import image_numbers
from vgtoolbox.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class WorkerAffineBatchSampler(Sampler[list[int]]):
    """Batches that take turns between worker processes; each image belongs to one worker.

    A loader hands batch k to worker k mod W, its number of workers. If W divides `num_workers`,
    all samples of an image reach the same worker, which decodes the image once; with other batch
    samplers each worker decodes it separately. The order does not depend on W. The few samples that
    do not fill a batch of their worker come last, in mixed batches.

    Args:
        sampler: Sampler whose order is kept among the samples of a worker, usually an
            `ImageWindowSampler`. The workers share its window.
        batch_size: Samples per batch.
        num_workers: Number of workers between which the images are divided: that of the loader, or
            a multiple of it.
    """

    def __init__(self, sampler: Any, batch_size: int, *, num_workers: int = 4) -> None:
        if num_workers < 1:
            raise ValueError(f"num_workers must be 1 or more, got {num_workers}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.num_workers = num_workers
        self._image_of = image_numbers(sampler.dataset).tolist()
        self._counts = np.bincount(self._image_of).tolist()

    def __iter__(self) -> Iterator[list[int]]:
        waiting: list[deque[int]] = [deque() for _ in range(self.num_workers)]
        loads = [0] * self.num_workers
        worker_of: dict[int, int] = {}
        turn = 0
        for index in self.sampler:
            image = self._image_of[index]
            if image not in worker_of:
                worker_of[image] = loads.index(min(loads))
                loads[worker_of[image]] += self._counts[image]
            waiting[worker_of[image]].append(index)
            while len(waiting[turn]) >= self.batch_size:
                yield [waiting[turn].popleft() for _ in range(self.batch_size)]
                turn = (turn + 1) % self.num_workers
        rest = [index for queue in waiting for index in queue]
        for start in range(0, len(rest), self.batch_size):
            yield rest[start : start + self.batch_size]

    def __len__(self) -> int:
        return -(-len(self.sampler) // self.batch_size)
