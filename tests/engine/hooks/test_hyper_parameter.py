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


def test_a_value_holds_from_its_milestone_on(runner):
    hook = HyperParameterHook(option="weight", milestones=[2, 3], values=[0.5, 1.0])
    seen = []
    for runner.epoch in range(5):
        hook.before_train_epoch(runner)
        seen.append(runner.bare_model.weight)
    assert seen == [0.1, 0.1, 0.5, 1.0, 1.0]


def test_a_run_that_is_resumed_goes_on_with_the_value_of_its_epoch(runner):
    runner.epoch = 4
    hook = HyperParameterHook(option="head.weight", milestones=[2], values=[0.5])
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    assert (runner.bare_model.head.weight, runner.bare_model.weight) == (0.5, 0.1)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("wieght", "no attribute 'wieght'"),
        ("haed.weight", "no attribute `haed`"),
        ("head.loss", "no attribute 'loss'"),
        ("name", "expected a number, found 'grounder'"),
    ],
)
def test_what_the_model_does_not_have_is_refused_before_training(option, message, runner):
    hook = HyperParameterHook(option=option, milestones=[1], values=[0.5])
    with pytest.raises(ValueError, match=f"option='{option}': .*{message}"):
        hook.before_train(runner)


@pytest.mark.parametrize(
    ("milestones", "values"), [([2, 1], [0.1, 0.2]), ([1, 1], [0.1, 0.2]), ([1], [])]
)
def test_milestones_and_values_belong_together(milestones, values):
    with pytest.raises(ValueError, match="rising milestones and a value for each"):
        HyperParameterHook(option="weight", milestones=milestones, values=values)
