"""Arguments of train that change a run, on the toy grounder of the engine's tests."""

from pathlib import Path

import pytest

from vgtoolbox.checkpoint import load_checkpoint
from vgtoolbox.cli.main import main

ENGINE = Path(__file__).parents[1] / "engine"
LR = 1e-2  # of the toy config, for its batch size of 4
BASE_BATCH_SIZE = "auto_scale_lr.base_batch_size=16"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that trains an epoch with further arguments and returns the exit code."""
    monkeypatch.syspath_prepend(str(ENGINE))

    def train(*words, options=()):
        options = [
            *options,
            "train_cfg.max_epochs=1",
            "visualizer.vis_backends=[]",
            f"experiment_name={tmp_path.name}",
        ]
        command = ["train", str(ENGINE / "toy_config.py"), "--work-dir", str(tmp_path / "run")]
        return main([*command, "--device", "cpu", *words, "--cfg-options", *options])

    return train


def initial_lr(folder):
    """Return the learning rate that the schedule of a run starts from."""
    optimizer = load_checkpoint(folder / "run" / "epoch_1.pth")["optimizer"]
    return optimizer["param_groups"][0]["initial_lr"]


def test_auto_scale_lr_multiplies_by_the_ratio_of_batch_sizes(run, tmp_path):
    assert run("--auto-scale-lr", options=[BASE_BATCH_SIZE]) == 0
    assert initial_lr(tmp_path) == pytest.approx(LR / 4)


def test_the_learning_rate_is_not_scaled_by_default(run, tmp_path):
    assert run(options=[BASE_BATCH_SIZE]) == 0
    assert initial_lr(tmp_path) == LR


def test_auto_scale_lr_without_a_base_batch_size_is_an_error(run, tmp_path, capsys):
    assert run("--auto-scale-lr") == 2
    assert "auto_scale_lr.base_batch_size=N" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
