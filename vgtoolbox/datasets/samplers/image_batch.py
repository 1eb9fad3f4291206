"""Batches of whole images with their expressions, and mixtures of data sets by image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dataset import ConcatDataset
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from vgtoolbox.datasets.collate.batch_transfer import ready_to_send
from vgtoolbox.datasets.collate.grounding import grounding_collate
from vgtoolbox.datasets.samplers.image_window import image_numbers
from vgtoolbox.registry import DATA_SAMPLERS, FUNCTIONS


@FUNCTIONS.register_module()
def group_collate(batch: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Stack what `PackExpressionGroup` gives.

    Returns:
        `{"inputs": {"images": (I, 3, H, W) uint8, "image_index": (B,)}, "data_samples": list of B
        samples}`, `image_index` telling the image of each sample.
    """
    stacked = grounding_collate(batch)
    counts = torch.tensor([len(item["data_samples"]) for item in batch])
    image_index = torch.repeat_interleave(torch.arange(len(batch)), counts)
    samples = [sample for item in batch for sample in item["data_samples"]]
    inputs = {**stacked["inputs"], "image_index": image_index}
    return ready_to_send({"inputs": inputs, "data_samples": samples})


@DATA_SAMPLERS.register_module()
class ImageBatchSampler(Sampler[list[int]]):
    """Batches in which the samples of an image stand together, and none is left out.

    For tests on data sets by expression: a model that groups neighbours of one image reads the
    image once, and a protocol that shows it all expressions of an image at once finds them.

    Args:
        sampler: Of a data set by expression; it tells the data set, not the order.
        batch_size: Images a batch.
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


@DATA_SAMPLERS.register_module()
class MixtureSampler(Sampler[int]):
    """Draws a data set, then one of its samples, with replacement; each rank draws others.

    Args:
        dataset: A concatenation; any other is a mixture of one.
        num_samples: Draws an epoch, over all ranks.
        weights: Of the data sets; None draws each as often.
        seed: Of the draws, with the epoch; None agrees on one among the ranks.
    """

    def __init__(
        self,
        dataset: Any,
        *,
        num_samples: int,
        weights: Sequence[float] | None = None,
        seed: int | None = None,
    ) -> None:
        self.dataset = dataset
        parts = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]
        self._sizes = np.array([len(part) for part in parts])
        share = np.ones(len(parts)) if weights is None else np.array(weights, dtype=float)
        if share.shape != self._sizes.shape or (share < 0).any() or share.sum() == 0:
            raise ValueError(f"expected {len(parts)} weights, not all 0, got {weights}")
        self._shares = share / share.sum()
        self.num_samples = num_samples
        self.seed = sync_random_seed() if seed is None else seed
        self.epoch = 0
        self._rank, self._world_size = get_dist_info()

    def __iter__(self) -> Iterator[int]:
        rng = np.random.default_rng((self.seed, self.epoch))
        starts = np.concatenate([[0], self._sizes.cumsum()[:-1]])
        part = rng.choice(len(self._sizes), self.num_samples, p=self._shares)
        index = starts[part] + rng.integers(self._sizes[part])
        return iter(index[self._rank : self._usable : self._world_size].tolist())

    def __len__(self) -> int:
        return self._usable // self._world_size

    @property
    def _usable(self) -> int:
        """Draws of an epoch that the ranks can share evenly."""
        return self.num_samples // self._world_size * self._world_size

    def set_epoch(self, epoch: int) -> None:
        """Draw others from now on."""
        self.epoch = epoch
