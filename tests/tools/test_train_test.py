"""Train, kill, resume and test as processes, with one process and with two."""

import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vgtoolbox.checkpoint import load_checkpoint, load_released
from vgtoolbox.checkpoint.config_text import read_config_text
from vgtoolbox.cli.publish import relative_paths

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "engine"
CONFIG = TOY / "toy_config.py"


def command(words, *, check=True, **environment):
    """Run a command in the repository, with the toy grounder importable."""
    paths = [str(TOY), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [str(word) for word in words],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(paths),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=240,
    )
    if check and done.returncode:
        pytest.fail(f"{' '.join(map(str, words))}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


def train(work_dir, *options, **keywords):
    words = [sys.executable, "tools/train.py", CONFIG, "--work-dir", work_dir, *options]
    return command(words, **keywords)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Return the work dir of an uninterrupted run in the launcher's CPU mode."""
    work_dir = tmp_path_factory.mktemp("trained")
    command(["bash", "tools/dist_train.sh", CONFIG, 0, "--work-dir", work_dir])
    return work_dir


def test_a_run_killed_in_the_middle_of_an_epoch_resumes_exactly(trained, tmp_path):
    # The third of six iterations of the second epoch.
    hooks = [
        {"type": "EMAHook", "momentum": 0.1},
        {"type": "KillHook", "moment": "train", "at": 9},
    ]
    killed = train(tmp_path, "--cfg-options", f"custom_hooks={hooks}", check=False)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "last_checkpoint").read_text().endswith("epoch_1.pth")

    train(tmp_path, "--resume")
    expected, found = (load_checkpoint(path / "epoch_2.pth") for path in (trained, tmp_path))
    for part in ("state_dict", "ema_state_dict"):
        assert expected[part].keys() == found[part].keys()
        assert all(torch.equal(value, found[part][key]) for key, value in expected[part].items())
    metrics = [
        {key: history["values"].tolist() for key, history in scalars.items() if "val/gre" in key}
        for scalars in (part["message_hub"]["log_scalars"] for part in (expected, found))
    ]
    assert metrics[0] == metrics[1]
    assert len(metrics[0]["val/gres/gIoU"]) == 2


def test_two_processes_train_on_the_cpu(tmp_path):
    words = ["bash", "tools/dist_train.sh", CONFIG, 0, "--work-dir", tmp_path, "--seed", 3]
    # Options of the wrapper are merged with its defaults, which contain no GPU number.
    words += ["--cfg-options", "model_wrapper_cfg.gradient_as_bucket_view=True"]
    command(words, CPU_PROCESSES="2")
    meta = load_checkpoint(tmp_path / "epoch_2.pth")["meta"]
    assert (meta["world_size"], meta["seed"], meta["epoch"]) == (2, 3, 2)
    assert meta["iter"] == 2 * 3  # 21 samples: 11 per process, in batches of 4


def test_a_run_leaves_its_config_log_and_tensorboard_events(trained):
    assert (trained / "toy_config.py").read_text().count("ToyGrounder") == 1
    (log,) = trained.glob("*/*.log")
    assert "Epoch(val) [2]" in log.read_text()
    assert list(trained.glob("*/vis_data/events.out.tfevents.*"))


@pytest.fixture
def tool(monkeypatch):
    """Return a function that runs `tools/<name>.py` in this process."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(TOY))

    def run(name, *words):
        monkeypatch.setattr(sys, "argv", [f"tools/{name}.py", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(f"tools/{name}.py", run_name="__main__")
        if stopped.value.code != 0:
            raise stopped.value

    return run


def test_a_training_checkpoint_is_published_and_tested(trained, tmp_path, tool):
    released = tmp_path / "toy.safetensors"
    tool("publish_checkpoint", trained / "epoch_2.pth", released, "--dtype", "float16")
    weights, config = load_released(released)
    assert weights["head.weight"].dtype == torch.float16
    assert "ToyGrounder" in config
    assert str(trained) not in config  # no path of the machine it was trained on
    out = ["--out", tmp_path, "--work-dir", tmp_path / "log"]
    tool("test", CONFIG, "--load-from", released, "--splits", "small", *out)
    assert set(json.loads((tmp_path / "metrics.json").read_text())["splits"]) == {"small"}


def test_a_released_config_has_no_absolute_path():
    config = {"roots": ["/home/me/vg/data/shapes", "/elsewhere"], "size": (64, 64), "note": None}
    assert relative_paths(config, "/home/me/vg/") == {
        **config,
        "roots": ["data/shapes", "/elsewhere"],
    }


def test_arguments_override_the_config(tmp_path, tool):
    short = ["--cfg-options", "train_cfg.max_epochs=1"]
    tool("train", CONFIG, "--work-dir", tmp_path, "--seed", 5, "--device", "cpu", "--amp", *short)
    config = read_config_text(load_checkpoint(tmp_path / "epoch_1.pth")["config"])
    assert config["randomness"]["seed"] == 5
    assert config["device"] == "cpu"
    assert config["optim_wrapper"]["type"] == "AutocastOptimWrapper"
    assert config["optim_wrapper"]["dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("train", ["--cfg-options", "optim_wrapper.optimiser.lr=1"], "did you mean 'optimizer'"),
        ("train", ["--cfg-options", "model.type=ToyGroundr"], "did you mean 'ToyGrounder'"),
        ("train", ["--load-from", "missing.pth"], "no checkpoint missing.pth"),
        ("train", ["--device", "cuda:99"], "must be below the number of visible GPUs"),
        ("test", ["--load-from", "missing.pth", "--splits", "testC"], "its splits: odd, small"),
    ],
)
def test_a_user_error_is_reported_in_one_line(tmp_path, tool, name, options, message, capsys):
    with pytest.raises(SystemExit) as exited:
        tool(name, CONFIG, "--work-dir", tmp_path, *options)
    assert exited.value.code == 2
    (line,) = [row for row in capsys.readouterr().err.splitlines() if row.startswith("error: ")]
    assert message in line


@pytest.mark.parametrize("words", [[], ["config.py"], ["config.py", "two"]])
def test_the_launcher_prints_its_usage(words):
    done = command(["bash", "tools/dist_train.sh", *words], check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: bash tools/dist_train.sh CONFIG NUM_GPUS")


def test_more_gpus_than_there_are_is_an_error():
    too_many = torch.cuda.device_count() + 1
    done = command(["bash", "tools/dist_train.sh", CONFIG, too_many], check=False)
    assert done.returncode == 2
    visible = torch.cuda.device_count()
    assert done.stderr == (
        f"error: NUM_GPUS is {too_many}, but {visible} GPUs are visible; use 0 for the CPU\n"
    )


def test_a_port_in_use_is_an_error_of_the_first_machine():
    with socket.create_server(("", 0)) as taken:
        port = str(taken.getsockname()[1])
        machines = {"NNODES": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        done = command(["bash", "tools/dist_train.sh", CONFIG, 0], check=False, **machines)
    assert done.returncode == 2
    assert done.stderr == (
        f"error: port {port} is in use on this machine; set MASTER_PORT to a free one\n"
    )
