"""Orders of a data set by expression in which an image is read once for several of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler

from vgtoolbox.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ImageWindowSampler(DefaultSampler):
    """Every sample once, with those of an image near each other, for `LoadImage(cache_mb=...)`.

    Shuffled, images come in random order, `window` of them at a time, and the samples of a window
    in random order: a batch mixes the images of its window, and the next epoch has other windows.
    Unshuffled, samples come image by image.

    Args:
        dataset: By expression or ref; `get_data_info(i)` tells its `img_path`.
        shuffle: Draw the order, anew each epoch.
        window: Images whose samples are mixed. The cache has to hold so many: 1.2 MB each for COCO.
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
        paths = [dataset.get_data_info(index)["img_path"] for index in range(len(dataset))]
        _, self._image_of, counts = np.unique(paths, return_inverse=True, return_counts=True)
        self._num_images = len(counts)

    def __iter__(self) -> Iterator[int]:
        order = self._shuffled() if self.shuffle else np.argsort(self._image_of, kind="stable")
        # A view of the order that repeats it from the beginning, as far as the ranks need it.
        return iter(np.resize(order, self.total_size)[self.rank :: self.world_size].tolist())

    def _shuffled(self) -> np.ndarray:
        """Return the positions of all samples in the order of this epoch."""
        rng = np.random.default_rng((self.seed, self.epoch))
        window_of_image = rng.permutation(self._num_images) // self.window
        within_window = rng.permutation(len(self._image_of))
        return np.lexsort((within_window, window_of_image[self._image_of]))
