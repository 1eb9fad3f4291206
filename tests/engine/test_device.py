import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vgtoolbox.engine import DeviceError, choose_device
from vgtoolbox.engine.device import process_group


def test_auto_selects_an_available_device():
    expected = "cuda" if torch.cuda.is_available() else "mps"
    if not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        expected = "cpu"
    assert choose_device("auto").type == expected
    assert choose_device("cpu") == torch.device("cpu")


def test_an_unavailable_device_is_rejected():
    with pytest.raises(DeviceError, match="number of visible GPUs"):
        choose_device("cuda:99")
    with pytest.raises(DeviceError, match=r"must be auto, cpu, .* got 'gpu'"):
        choose_device("gpu")


def test_without_torchrun_no_group_is_started():
    with process_group(torch.device("cpu")):
        assert not torch.distributed.is_initialized()


TRAINS_IN_A_GROUP = """
import atexit
from pathlib import Path

@atexit.register
def report():
    print(*sorted({path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")}))

import torch
from vgtoolbox.engine.device import process_group

with process_group(torch.device("cpu")):
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1))
    model(torch.ones(1, 1)).sum().backward()
    model.in_a_cycle = [model]
    report()
del model
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc (Linux)")
def test_threads_of_the_group_end_before_python():
    group = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
    group |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", TRAINS_IN_A_GROUP],
        env={**os.environ, **group},
        capture_output=True,
        text=True,
        check=True,
    )
    during, at_the_end = done.stdout.splitlines()
    assert "gloo" in during
    assert "gloo" not in at_the_end


def test_a_port_in_use_is_named(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        group = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
        for name, value in {**group, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
        with (
            pytest.raises(DeviceError, match=rf"127\.0\.0\.1:{port}: .*set MASTER_PORT to a free"),
            process_group(torch.device("cpu")),
        ):
            raise AssertionError("the group must not start")
