"""Batches of whole images with all of their samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from vgtoolbox.datasets.samplers.image_numbering import image_numbers
from vgtoolbox.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ImageBatchSampler(Sampler[list[int]]):
    """Batches in which the samples of an image are consecutive and complete.

    For tests on datasets with one sample per expression: a model that groups consecutive samples of
    an image encodes the image once, and an answer mode that shows it all expressions of an image
    together finds all of them.

    Args:
        sampler: Sampler used only for its `dataset`, which must have one sample per expression.
        batch_size: Images per batch.
    """

    def __init__(self, sampler: Any, batch_size: int) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        numbers = image_numbers(sampler.dataset)
        rank, world_size = get_dist_info()
        by_image = np.split(
            np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers))[:-1]
        )
        self._images = [image.tolist() for image in by_image[rank::world_size]]

    def __iter__(self) -> Iterator[list[int]]:
        for start in range(0, len(self._images), self.batch_size):
            group = self._images[start : start + self.batch_size]
            yield [index for image in group for index in image]

    def __len__(self) -> int:
        return -(-len(self._images) // self.batch_size)
