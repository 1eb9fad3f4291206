"""Sample from several datasets by weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import ConcatDataset
from mmengine.dist import get_dist_info, sync_random_seed
from torch.utils.data import Sampler

from vgtoolbox.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class MixtureSampler(Sampler[int]):
    """Draw a dataset, then one of its samples, with replacement; each rank draws different samples.

    Args:
        dataset: Concatenated dataset. Any other dataset is a mixture of one.
        num_samples: Samples per epoch, over all ranks.
        weights: Relative weight of each dataset. If `None`, all datasets are drawn equally often.
        seed: Random seed, combined with the epoch. If `None`, one seed is synchronized across
            ranks.
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
            raise ValueError(
                f"weights must be {len(parts)} numbers, one per dataset, none negative and not all "
                f"0, got {weights}"
            )
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
        """Samples per epoch that can be divided evenly among the ranks."""
        return self.num_samples // self._world_size * self._world_size

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which determines the samples drawn."""
        self.epoch = epoch
