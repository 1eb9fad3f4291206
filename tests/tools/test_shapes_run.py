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
            "OMP_NUM_THREADS": "1",
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


def test_two_processes_give_the_metrics_and_predictions_of_one(trained, world, tmp_path):
    reports = {}
    for processes in ("1", "2"):
        out = tmp_path / processes
        words = ["bash", "tools/dist_test.sh", CONFIG, 0, "--load-from", trained / "epoch_2.pth"]
        # Batches of one, because batched and single arithmetic differ in the last bit.
        words += ["--out", out, "--work-dir", out / "log"]
        words += ["--cfg-options", "test_dataloader.batch_size=1", "test_dataloader.num_workers=0"]
        # An odd number, so that one process has one sample more than the other.
        words += ["test_splits.grefs_test.dataset.indices=7"]
        run(words, SHAPES_ROOT=str(world), CPU_PROCESSES=processes)
        reports[processes] = json.loads((out / "metrics.json").read_text())
    assert reports["1"]["splits"] == reports["2"]["splits"]
    assert set(reports["1"]["splits"]) == {"grefs_test", "refs_test"}
    lengths = []
    for split in reports["1"]["splits"]:
        lines = [
            (tmp_path / processes / split / "predictions.jsonl").read_text().splitlines()
            for processes in ("1", "2")
        ]
        assert lines[0] == lines[1]
        lengths.append(len(lines[0]))
    assert lengths[0] == 7
