"""Orders of a data set by expression in which an image is read once for several of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import ConcatDataset, DefaultSampler
from torch.utils.data import Sampler

from vgtoolbox.datasets.record_index import RecordIndex
from vgtoolbox.registry import DATA_SAMPLERS


def image_numbers(dataset: Any) -> np.ndarray:
    """Return which image each sample is of, (len(dataset),) int64, as they first come.

    Args:
        dataset: By expression or ref; `get_data_info(i)` tells its `img_path`.
    """
    numbers: dict[str, int] = {}
    known = (numbers.setdefault(path, len(numbers)) for path in _image_paths(dataset))
    return np.fromiter(known, np.int64, len(dataset))


def _image_paths(dataset: Any) -> Iterator[str]:
    """Yield the path of each sample's image; of our own data sets, without reading targets."""
    if isinstance(dataset, ConcatDataset):
        for part in dataset.datasets:
            yield from _image_paths(part)
    elif isinstance(getattr(dataset, "data_list", None), RecordIndex):
        yield from dataset.data_list.column("img_path")
    else:
        yield from (dataset.get_data_info(index)["img_path"] for index in range(len(dataset)))


@DATA_SAMPLERS.register_module()
class ImageWindowSampler(DefaultSampler):
    """Every sample once, with those of an image near each other, for `LoadImage(cache_mb=...)`.

    Shuffled, images come in random order, `window` of them at a time, and the samples of a window
    in random order, those of one image spread over it evenly: a batch mixes the images of its
    window, and holds two samples of one image less often than chance has it. The next epoch has
    other windows. Each rank has images of its own. Unshuffled, samples come image by image.

    Args:
        dataset: By expression or ref; `get_data_info(i)` tells its `img_path`.
        shuffle: Draw the order, anew each epoch.
        window: Images whose samples are mixed. The caches of all workers of a rank together have to
            hold so many: 0.9 MB each for COCO.
        seed: Of the order; None agrees on one among the ranks.
        round_up: Repeat samples so that all ranks have as many.
    """

    def __init__(
        self,
        dataset: Any,
        *,
        shuffle: bool = True,
        window: int = 128,
        seed: int | None = None,
        round_up: bool = True,
    ) -> None:
        if window < 1:
            raise ValueError(f"window must be 1 image or more, got {window}")
        super().__init__(dataset, shuffle=shuffle, seed=seed, round_up=round_up)
        self.window = window
        self._image_of = image_numbers(dataset)
        self._counts = np.bincount(self._image_of)

    def __iter__(self) -> Iterator[int]:
        if self.shuffle:
            return iter(self._shuffled().tolist())
        order = np.argsort(self._image_of, kind="stable")
        # A view of the order that repeats it from the beginning, as far as the ranks need it.
        return iter(np.resize(order, self.total_size)[self.rank :: self.world_size].tolist())

    def _shuffled(self) -> np.ndarray:
        """Return the positions of this rank's samples, in the order of this epoch."""
        rng = np.random.default_rng((self.seed, self.epoch))
        turn = rng.permutation(len(self._counts))
        window_of_image = turn // (self.window * self.world_size)
        order = np.lexsort((self._spread(rng), window_of_image[self._image_of]))
        rank_of = (turn % self.world_size)[self._image_of[order]]
        shares = [order[rank_of == rank] for rank in range(self.world_size)]
        sizes = [len(range(rank, self.total_size, self.world_size)) for rank in range(len(shares))]
        # What one rank has too many goes to those that have too few; then samples are repeated.
        over = [share[size:] for share, size in zip(shares, sizes, strict=True)]
        lacking = [max(0, size - len(share)) for share, size in zip(shares, sizes, strict=True)]
        spare = np.resize(np.concatenate([*over, order]), sum(lacking))
        start = sum(lacking[: self.rank])
        taken = spare[start : start + lacking[self.rank]]
        return np.concatenate([shares[self.rank][: sizes[self.rank]], taken])

    def _spread(self, rng: np.random.Generator) -> np.ndarray:
        """Return a place in 0..1 for each sample: of n samples of an image, one in each n-th."""
        shuffled = rng.permutation(len(self._image_of))
        by_image = shuffled[np.argsort(self._image_of[shuffled], kind="stable")]
        counts = np.repeat(self._counts, self._counts)
        first = np.repeat(np.cumsum(self._counts) - self._counts, self._counts)
        places = np.empty(len(by_image))
        places[by_image] = (np.arange(len(by_image)) - first + rng.random(len(by_image))) / counts
        return places


@DATA_SAMPLERS.register_module()
class WorkerAffineBatchSampler(Sampler[list[int]]):
    """Batches of several lanes in turn; all samples of an image are in one lane.

    A loader hands batch k to worker k mod `num_workers`. Where that number divides `lanes`, all
    samples of an image go to one worker, which decodes it once; without lanes each worker decodes
    it for itself. The order does not depend on the number of workers. The few samples that are over
    when the lanes run dry come last, in mixed batches.

    Args:
        sampler: The samples, in their order but for the lanes: an `ImageWindowSampler`, whose
            window the lanes share.
        batch_size: Samples a batch.
        lanes: How many; the number of workers, or a multiple of it.
    """

    def __init__(self, sampler: Any, batch_size: int, *, lanes: int = 4) -> None:
        if lanes < 1:
            raise ValueError(f"lanes must be 1 or more, got {lanes}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.lanes = lanes
        self._image_of = image_numbers(sampler.dataset).tolist()
        self._counts = np.bincount(self._image_of).tolist()

    def __iter__(self) -> Iterator[list[int]]:
        waiting: list[deque[int]] = [deque() for _ in range(self.lanes)]
        loads = [0] * self.lanes
        lane_of: dict[int, int] = {}
        turn = 0
        for index in self.sampler:
            image = self._image_of[index]
            if image not in lane_of:
                lane_of[image] = loads.index(min(loads))
                loads[lane_of[image]] += self._counts[image]
            waiting[lane_of[image]].append(index)
            while len(waiting[turn]) >= self.batch_size:
                yield [waiting[turn].popleft() for _ in range(self.batch_size)]
                turn = (turn + 1) % self.lanes
        rest = [index for lane in waiting for index in lane]
        for start in range(0, len(rest), self.batch_size):
            yield rest[start : start + self.batch_size]

    def __len__(self) -> int:
        return -(-len(self.sampler) // self.batch_size)
