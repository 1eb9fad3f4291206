"""Optimizer settings of PLVL's configs compared with the published ones."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, PolyLR
from mmengine.registry import DefaultScope

from vgtoolbox.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS

CONFIGS = Path(__file__).parents[2] / "configs"
SCHEDULES = CONFIGS / "_base_" / "schedules"


def _factors(scheduler, epochs):
    """Return the learning rate factor of each epoch for the config of a scheduler."""
    settings = {key: value for key, value in scheduler.items() if key != "type"}
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    poly, factors = PolyLR(optimizer, **settings), []
    for _ in range(epochs):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        poly.step()
    return factors


@pytest.mark.parametrize(("name", "epochs"), [("plvl_150e.py", 150), ("plvl_20e.py", 20)])
def test_the_learning_rate_decays_as_published(name, epochs):
    config = Config.fromfile(SCHEDULES / name)
    (scheduler,) = config.param_scheduler
    assert config.train_cfg.max_epochs == epochs
    expected = [(1 - epoch / epochs) ** 0.9 for epoch in range(epochs)]
    assert _factors(scheduler, epochs) == pytest.approx(expected, rel=1e-9)


def test_the_decay_over_ten_epochs_by_hand():
    (scheduler,) = Config.fromfile(SCHEDULES / "plvl_150e.py").param_scheduler
    published = [1, 0.90953, 0.81805, 0.72542, 0.63145, 0.53589, 0.43838, 0.33838, 0.23492, 0.12589]
    assert _factors({**scheduler, "end": 11}, 10) == pytest.approx(published, abs=5e-6)


def test_parts_have_separate_rates_and_all_weights_decay():
    config = Config.fromfile(SCHEDULES / "plvl_150e.py")
    with torch.device("meta"):
        model = MODELS.build(Config.fromfile(CONFIGS / "shapes" / "PLVL-tiny-shapes.py").model)
    settings = {**config.optim_wrapper, "type": OptimWrapper}
    constructor = settings.pop("constructor")
    settings.pop("dtype")
    paramwise = settings.pop("paramwise_cfg")
    build = OPTIM_WRAPPER_CONSTRUCTORS.get(constructor)(settings, paramwise)
    with DefaultScope.overwrite_default_scope("vgtoolbox"):
        optimizer = build(model).optimizer
    rate_of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    expected = {"backbone": 1e-5, "text_encoder": 5e-6}
    for name, parameter in model.named_parameters():
        rate = expected.get(name.partition(".")[0], 2.5e-5)
        assert rate_of[id(parameter)] == pytest.approx(rate), name
    assert {group["weight_decay"] for group in optimizer.param_groups} == {1e-4}
    assert optimizer.defaults["betas"] == (0.9, 0.999)
