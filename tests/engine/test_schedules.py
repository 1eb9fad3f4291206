"""Learning rates of the schedules in configs/_base_, read from training runs."""

from pathlib import Path

import pytest
from mmengine.config import Config

from vgtoolbox.engine import train

SCHEDULES = Path(__file__).parents[2] / "configs" / "_base_" / "schedules"
KEYS = ("optim_wrapper", "param_scheduler", "train_cfg")


@pytest.fixture
def run(toy_config):
    def train_with(schedule, **options):
        cfg = toy_config(custom_hooks=[], **{"train_dataloader.dataset.length": 9})  # 3 iterations
        base = Config.fromfile(SCHEDULES / schedule)
        for key in KEYS:
            cfg[key] = base[key]
        cfg.train_cfg.val_interval = 100
        cfg.merge_from_dict(options)
        return train(cfg)

    return train_with


TEN = [0.5] + [1] * 5 + [0.1] * 4
TWENTY = [0.25, 0.5, 0.75] + [1] * 11 + [0.1] * 6


@pytest.mark.parametrize(
    ("schedule", "factors"), [("instancevg_10e.py", TEN), ("instancevg_20e.py", TWENTY)]
)
def test_instancevg_follows_the_published_sequence(run, schedule, factors):
    runner = run(schedule)
    rates = runner.message_hub.get_scalar("train/base_lr").data[0]
    assert rates == pytest.approx([5e-4 * factor for factor in factors for _ in range(3)])

    optimizer = runner.optim_wrapper.optimizer
    rate_of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    model = runner.bare_model
    assert rate_of[id(model.backbone.weight)] == pytest.approx(5e-6)
    assert rate_of[id(model.head.weight)] == pytest.approx(5e-5)
    settings = optimizer.param_groups[0]
    assert settings["amsgrad"]
    assert settings["betas"] == (0.9, 0.98)
    assert (settings["eps"], settings["weight_decay"]) == (1e-9, 0)
    assert runner.optim_wrapper.clip_grad_kwargs == {"max_norm": 0.15}


def test_shapes_cpu_warms_up_and_decays_to_zero(run):
    runner = run("shapes_cpu.py", **{"param_scheduler.0.end": 9, "train_cfg.max_epochs": 12})
    rates = runner.message_hub.get_scalar("train/lr").data[0].tolist()
    peak = max(rates)
    assert rates[0] == pytest.approx(0.01 * runner.optim_wrapper.optimizer.defaults["lr"])
    assert rates.index(peak) <= 9
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] < 0.01 * peak
