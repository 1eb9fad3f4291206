from types import SimpleNamespace

import pytest
from torch import nn

from vgtoolbox.engine.hooks import HyperParameterHook


@pytest.fixture
def runner():
    model = nn.Module()
    model.weight, model.name = 0.1, "grounder"
    model.head = nn.Module()
    model.head.weight = 7
    return SimpleNamespace(bare_model=model, epoch=0)


def test_a_value_applies_from_its_milestone_on(runner):
    hook = HyperParameterHook(attribute="weight", milestones=[2, 3], values=[0.5, 1.0])
    seen = []
    for runner.epoch in range(5):
        hook.before_train_epoch(runner)
        seen.append(runner.bare_model.weight)
    assert seen == [0.1, 0.1, 0.5, 1.0, 1.0]


def test_a_resumed_run_uses_the_value_of_its_epoch(runner):
    runner.epoch = 4
    hook = HyperParameterHook(attribute="head.weight", milestones=[2], values=[0.5])
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    assert (runner.bare_model.head.weight, runner.bare_model.weight) == (0.5, 0.1)


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("wieght", "no attribute 'wieght'"),
        ("haed.weight", "no attribute `haed`"),
        ("head.loss", "no attribute 'loss'"),
        ("name", "must be a number, got 'grounder'"),
    ],
)
def test_unknown_attributes_are_rejected_before_training(attribute, message, runner):
    hook = HyperParameterHook(attribute=attribute, milestones=[1], values=[0.5])
    with pytest.raises(ValueError, match=f"attribute='{attribute}' .*{message}"):
        hook.before_train(runner)


@pytest.mark.parametrize(
    ("milestones", "values"), [([2, 1], [0.1, 0.2]), ([1, 1], [0.1, 0.2]), ([1], [])]
)
def test_milestones_must_be_increasing_with_one_value_each(milestones, values):
    with pytest.raises(ValueError, match="milestones must be increasing with one value each"):
        HyperParameterHook(attribute="weight", milestones=milestones, values=values)
