"""Tiny InstanceVG on a few scenes: resumed and multi-process runs give exact results."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import torch
from mmengine.hooks import Hook

from vgtoolbox.checkpoint import load_checkpoint
from vgtoolbox.engine import load_config, train
from vgtoolbox.registry import HOOKS

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "configs" / "shapes" / "InstanceVG-tiny-shapes.py"
SCENES = {"--num-train": 12, "--num-val": 2, "--num-test": 4}


def run(words, **environment):
    done = subprocess.run(
        [str(word) for word in words],
        cwd=ROOT,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return the folder of a generated world of a few scenes."""
    folder = tmp_path_factory.mktemp("shapes")
    numbers = [word for option in SCENES.items() for word in option]
    run([sys.executable, "tools/prepare_data.py", "shapes", "--out", folder, *numbers])
    return folder


@pytest.fixture(scope="module")
def configured(world, tmp_path_factory):
    """Return a function that loads the config for a short run in a work dir with a given name."""
    runs = tmp_path_factory.mktemp("runs")

    def read(name, **options):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SHAPES_ROOT", str(world))
            cfg = load_config(CONFIG)
        cfg.merge_from_dict(
            {
                "work_dir": str(runs / name),
                "experiment_name": uuid.uuid4().hex,
                "device": "cpu",
                "log_level": "WARNING",
                "train_cfg.max_epochs": 2,
                "train_dataloader.batch_size": 16,
                "visualizer.vis_backends": [{"type": "LocalVisBackend"}],
                **options,
            }
        )
        return cfg

    return read


@pytest.fixture(scope="module")
def trained(configured):
    """Return the work dir of an uninterrupted run."""
    cfg = configured("straight")
    train(cfg)
    return Path(cfg.work_dir)


class KillInSecondEpoch(Hook):
    """Kill -9 the process after the second iteration of the second epoch."""

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if (runner.epoch, batch_idx) == (1, 1):
            os.kill(os.getpid(), signal.SIGKILL)


def train_until_killed(cfg):
    HOOKS.register_module(module=KillInSecondEpoch)
    train(cfg)


def test_a_killed_training_resumes_to_the_same_weights_and_metrics(trained, configured):
    cfg = configured("killed")
    cfg.custom_hooks = [*cfg.custom_hooks, {"type": "KillInSecondEpoch"}]
    child = multiprocessing.get_context("fork").Process(target=train_until_killed, args=(cfg,))
    child.start()
    child.join(240)
    assert child.exitcode == -signal.SIGKILL
    train(configured("killed"), resume=True)

    folders = (trained, Path(cfg.work_dir))
    expected, found = (load_checkpoint(folder / "epoch_2.pth") for folder in folders)
    assert expected["state_dict"].keys() == found["state_dict"].keys()
    for key, value in expected["state_dict"].items():
        assert torch.equal(found["state_dict"][key], value), key
    for key, history in expected["message_hub"]["log_scalars"].items():
        if key.startswith("val/gre"):
            values = found["message_hub"]["log_scalars"][key]["values"]
            assert torch.equal(values, history["values"]), key


def run_test(world, checkpoint, out, *, processes, batch_size):
    """Test with several processes and return the report and the lines of each split."""
    words = ["bash", "tools/dist_test.sh", CONFIG, 0, "--load-from", checkpoint]
    words += ["--out", out, "--work-dir", out / "log", "--cfg-options"]
    words += [f"test_dataloader.batch_size={batch_size}", "test_dataloader.num_workers=0"]
    # An odd number: the last batch of four is incomplete, and processes have unequal shares.
    words += ["test_splits.grefs_test.dataset.indices=7"]
    run(words, SHAPES_ROOT=str(world), CPU_PROCESSES=str(processes))
    report = json.loads((out / "metrics.json").read_text())
    report.pop("seconds")
    splits = ("grefs_test", "refs_test")
    return report, [(out / split / "predictions.jsonl").read_bytes() for split in splits]


def test_two_processes_give_the_metrics_and_predictions_of_one(trained, world, tmp_path):
    checkpoint = trained / "epoch_2.pth"
    alone, both = (
        run_test(world, checkpoint, tmp_path / str(n), processes=n, batch_size=4) for n in (1, 2)
    )
    assert alone == both
    assert set(alone[0]["splits"]) == {"grefs_test", "refs_test"}
    assert alone[1][0].count(b"\n") == 7


@pytest.mark.slow
@pytest.mark.parametrize("batch_size", [1, 3, 4])
def test_any_number_of_processes_gives_the_metrics_and_predictions_of_one(
    world, tmp_path, monkeypatch, batch_size
):
    # The launcher chooses the number of threads.
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    weights = ROOT / "pretrain_weights" / "InstanceVG-tiny-shapes.safetensors"
    alone, *others = (
        run_test(world, weights, tmp_path / str(n), processes=n, batch_size=batch_size)
        for n in (1, 2, 3)
    )
    assert alone == others[0] == others[1]
