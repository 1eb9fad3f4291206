import random
from types import SimpleNamespace

import numpy as np
import torch
from torch.utils.data import ConcatDataset, Subset

from vgtoolbox.engine.hooks.determinism import DatasetEpochHook, seed_all, unwrapped_datasets


class Counting:
    seed = 0
    epoch = 0

    def set_epoch(self, epoch):
        self.epoch = epoch

    def __len__(self):
        return 3


def draw():
    return random.random(), float(np.random.rand()), float(torch.rand(()))  # noqa: NPY002


def test_equal_entropy_gives_equal_numbers_in_every_generator():
    seed_all(0, 5, 1)
    first = draw()
    draw()
    seed_all(0, 5, 1)
    assert draw() == first


def test_seed_iteration_and_rank_all_change_the_numbers():
    drawn = set()
    for entropy in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0, 1)):
        seed_all(*entropy)
        drawn.add(draw())
    assert len(drawn) == 5
    assert all(len(set(values)) == 5 for values in zip(*drawn, strict=True))


def test_seed_and_epoch_are_set_through_wrappers():
    first, second = Counting(), Counting()
    loader = SimpleNamespace(dataset=ConcatDataset([Subset(first, [0]), second]))
    runner = SimpleNamespace(train_dataloader=loader, seed=7, epoch=4)
    hook = DatasetEpochHook()
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    assert [(part.seed, part.epoch) for part in (first, second)] == [(7, 4), (7, 4)]


def test_wrapped_datasets_are_ordered_from_the_outermost():
    inner = Counting()
    middle = Subset(inner, [0])
    outer = ConcatDataset([middle])
    assert list(unwrapped_datasets(outer)) == [outer, middle, inner]
