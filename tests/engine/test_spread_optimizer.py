"""Optimizer states spread over two processes (ZeRO-1) train, save and resume as whole ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ENGINE = Path(__file__).parent
ROOT = ENGINE.parents[1]
ZERO = [
    "optim_wrapper.optimizer.type=ZeroRedundancyOptimizer",
    "optim_wrapper.optimizer.optimizer_type=AdamW",
]


def train(folder, *words, options=(), port):
    """Run `tools/train.py` on two gloo processes, and return the last checkpoint."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ENGINE)]),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    command = [sys.executable, ROOT / "tools" / "train.py", ENGINE / "toy_config.py"]
    command += ["--work-dir", folder, "--device", "cpu", *words, "--cfg-options", "custom_hooks=[]"]
    processes = [
        subprocess.Popen(
            [*map(str, command), *options],
            env={**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    for process in processes:
        output, _ = process.communicate(timeout=280)
        assert process.returncode == 0, output[-3000:]
    return torch.load(Path((folder / "last_checkpoint").read_text()), weights_only=True)


@pytest.mark.slow
def test_spread_states_are_the_same_training(tmp_path):
    whole = train(tmp_path / "whole", port=29631)
    spread = train(tmp_path / "spread", options=ZERO, port=29632)
    torch.testing.assert_close(spread["state_dict"], whole["state_dict"])
    half = [*ZERO, "train_cfg.max_epochs=1"]
    train(tmp_path / "resumed", options=half, port=29633)
    resumed = train(tmp_path / "resumed", "--resume", options=ZERO, port=29634)
    torch.testing.assert_close(resumed["state_dict"], spread["state_dict"])
