"""Making every iteration a function of the seed and its number, so that a resume is exact."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from vgtoolbox.registry import HOOKS


@HOOKS.register_module()
class SeedHook(Hook):
    """Seed all random generators from (seed, iteration, rank) before each training iteration.

    What a generator yields in iteration i then depends neither on the iterations before it, nor on
    the validations in between: a resumed run draws the numbers of the uninterrupted one, and no
    generator's state has to be saved. Epochs are seeded too, for what a data loader draws when it
    starts its workers.
    """

    priority = "VERY_HIGH"

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what happens before the first iteration of the epoch."""
        seed_all(runner.seed, runner.iter, runner.rank, 1)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the iteration."""
        seed_all(runner.seed, runner.iter, runner.rank, 0)


@HOOKS.register_module()
class DatasetEpochHook(Hook):
    """Tell the training dataset the seed and which epoch begins, through every wrapper around it.

    It concerns datasets that have `set_epoch`. The seed is set before workers are started; the
    epoch has to reach workers that are running, which is the dataset's business.
    """

    priority = "VERY_HIGH"

    def before_train(self, runner: Runner) -> None:
        """Seed each dataset by the run."""
        for dataset in _counting_datasets(runner):
            dataset.seed = runner.seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the epoch of each dataset."""
        for dataset in _counting_datasets(runner):
            dataset.set_epoch(runner.epoch)


def seed_all(*entropy: int) -> None:
    """Seed Python, numpy and torch, each independently, from a few integers."""
    for_python, for_numpy, for_torch = np.random.SeedSequence(entropy).generate_state(3).tolist()
    random.seed(for_python)
    np.random.seed(for_numpy)  # noqa: NPY002  (what third-party code draws from)
    torch.manual_seed(for_torch)


def _counting_datasets(runner: Runner) -> Iterator[Any]:
    datasets = unwrapped_datasets(runner.train_dataloader.dataset)
    return (dataset for dataset in datasets if hasattr(type(dataset), "set_epoch"))


def unwrapped_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the dataset and, from the outside in, those that it concatenates, repeats or slices."""
    yield dataset
    inner = [getattr(dataset, name, None) for name in ("dataset", "_dataset")]
    for part in [*inner, *getattr(dataset, "datasets", ())]:
        if part is not None:
            yield from unwrapped_datasets(part)
