"""Seed every iteration by its number, such that resumed runs are exact."""

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

    Random numbers in iteration i then depend neither on earlier iterations nor on validations in
    between: a resumed run draws the same numbers as an uninterrupted one, and no generator state is
    saved. Epochs are also seeded, for the numbers that a data loader draws when it starts its
    workers.
    """

    priority = "VERY_HIGH"

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed the generators for the start of the epoch."""
        seed_all(runner.seed, runner.iter, runner.rank, 1)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: Any = None) -> None:
        """Seed the generators for the iteration."""
        seed_all(runner.seed, runner.iter, runner.rank, 0)


@HOOKS.register_module()
class DatasetEpochHook(Hook):
    """Set the seed and the epoch of the training dataset, through all of its wrappers.

    Only datasets with `set_epoch` are affected. The seed is set before workers are started; the
    dataset must pass the epoch on to running workers.
    """

    priority = "VERY_HIGH"

    def before_train(self, runner: Runner) -> None:
        """Set the seed of each dataset to that of the run."""
        for dataset in _epoch_datasets(runner):
            dataset.seed = runner.seed

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the epoch of each dataset."""
        for dataset in _epoch_datasets(runner):
            dataset.set_epoch(runner.epoch)


def seed_all(*entropy: int) -> None:
    """Seed Python, numpy and torch independently of each other from a few integers."""
    for_python, for_numpy, for_torch = np.random.SeedSequence(entropy).generate_state(3).tolist()
    random.seed(for_python)
    np.random.seed(for_numpy)  # noqa: NPY002  (third-party code draws from it)
    torch.manual_seed(for_torch)


def _epoch_datasets(runner: Runner) -> Iterator[Any]:
    datasets = unwrapped_datasets(runner.train_dataloader.dataset)
    # By type: wrappers may forward unknown attributes to the dataset that they wrap.
    return (dataset for dataset in datasets if hasattr(type(dataset), "set_epoch"))


def unwrapped_datasets(dataset: Any) -> Iterator[Any]:
    """Yield the dataset and, from the outermost to the innermost, the datasets that it wraps."""
    yield dataset
    inner = [getattr(dataset, name, None) for name in ("dataset", "_dataset")]
    for part in [*inner, *getattr(dataset, "datasets", ())]:
        if part is not None:
            yield from unwrapped_datasets(part)
