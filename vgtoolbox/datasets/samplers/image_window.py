"""Random order in which the samples of an image are near each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler

from vgtoolbox.datasets.samplers.image_numbering import image_numbers
from vgtoolbox.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ImageWindowSampler(DefaultSampler):
    """Every sample once, those of an image near each other, for `LoadImage(cache_mb=...)`.

    If shuffled, images come in random order, `window` of them at a time, and the samples of a
    window in random order, those of one image spread evenly over it: a batch mixes the images of
    its window and contains two samples of the same image less often than random sampling. Each
    epoch has different windows. Each rank has its own images. If not shuffled, samples come image
    by image.

    Args:
        dataset: Dataset with one sample per expression or ref, whose `get_data_info(i)` returns an
            `img_path`.
        shuffle: Whether to draw a new order in each epoch.
        window: Number of images whose samples are mixed. The caches of all workers of a rank
            together must have room for them: 0.9 MB each for COCO.
        seed: Random seed of the order. If `None`, one seed is synchronized across ranks.
        round_up: Whether to repeat samples so that all ranks have equally many.
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
        # Repeat the order from the beginning until every rank has its share.
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
        # Surplus samples of one rank go to ranks that lack some; after that, samples are repeated.
        over = [share[size:] for share, size in zip(shares, sizes, strict=True)]
        lacking = [max(0, size - len(share)) for share, size in zip(shares, sizes, strict=True)]
        spare = np.resize(np.concatenate([*over, order]), sum(lacking))
        start = sum(lacking[: self.rank])
        taken = spare[start : start + lacking[self.rank]]
        return np.concatenate([shares[self.rank][: sizes[self.rank]], taken])

    def _spread(self, rng: np.random.Generator) -> np.ndarray:
        """Return a place in 0..1 for each sample; n samples of an image get one place per n-th."""
        shuffled = rng.permutation(len(self._image_of))
        by_image = shuffled[np.argsort(self._image_of[shuffled], kind="stable")]
        counts = np.repeat(self._counts, self._counts)
        first = np.repeat(np.cumsum(self._counts) - self._counts, self._counts)
        places = np.empty(len(by_image))
        places[by_image] = (np.arange(len(by_image)) - first + rng.random(len(by_image))) / counts
        return places
