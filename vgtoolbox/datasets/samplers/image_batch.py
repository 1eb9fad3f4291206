"""Batches of whole images with all of their samples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dist import get_dist_info
from torch.utils.data import Sampler

from vgtoolbox.datasets.samplers.fixed_batch import share_of_batches
from vgtoolbox.datasets.samplers.image_numbering import image_numbers
from vgtoolbox.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ImageBatchSampler(Sampler[list[int]]):
    """Batches in which the samples of an image are consecutive and complete.

    For tests on datasets with one sample per expression: a model that groups consecutive samples of
    an image encodes the image once, and an answer mode that shows it all expressions of an image
    together finds all of them. The batches are the same for any number of processes, and each
    process has equally many; see `FixedBatchSampler`.

    Args:
        sampler: Sampler used only for its `dataset`, which must have one sample per expression.
        batch_size: Images per batch.
    """

    def __init__(self, sampler: Any, batch_size: int) -> None:
        self.sampler = sampler
        self.batch_size = batch_size
        numbers = image_numbers(sampler.dataset)
        by_image = np.split(
            np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers))[:-1]
        )
        images = [image.tolist() for image in by_image if len(image)]
        groups = [images[start : start + batch_size] for start in range(0, len(images), batch_size)]
        self._batches = [
            [index for image in groups[number] for index in image]
            for number in share_of_batches(len(groups), *get_dist_info())
        ]

    def __iter__(self) -> Iterator[list[int]]:
        yield from self._batches

    def __len__(self) -> int:
        return len(self._batches)
