"""Two processes give exactly the metrics of one with every sampler."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

WORKER = Path(__file__).with_name("distributed_worker.py")
SAMPLERS = ("in_order", "padded", "shuffled", "unequal", "one_has_none")
SAMPLES = 7


@pytest.fixture(scope="module")
def results(make_sample, tmp_path_factory) -> Path:
    """Evaluate the same samples in one process and in two; return the folder of results."""
    folder = tmp_path_factory.mktemp("distributed")
    samples = [make_sample(i).to_dict() for i in range(SAMPLES)]
    (folder / "samples.pkl").write_bytes(pickle.dumps(samples))
    root = WORKER.parents[3]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.fspath(root)}
    for world in (1, 2):
        processes = [
            subprocess.Popen(
                [sys.executable, WORKER, folder, str(rank), str(world)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for rank in range(world)
        ]
        for process in processes:
            output, _ = process.communicate(timeout=120)
            assert process.returncode == 0, output
    return folder


@pytest.fixture(scope="module")
def single_process(results) -> dict[str, float]:
    return json.loads((results / "1.in_order.0.json").read_text())


def test_values_differ_between_metrics(single_process):
    assert len(set(single_process.values())) > 5


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_two_processes_give_the_values_of_one(results, single_process, sampler):
    for rank in (0, 1):
        assert json.loads((results / f"2.{sampler}.{rank}.json").read_text()) == single_process


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_predictions_are_written_once_and_in_order(results, sampler):
    text = (results / f"2.{sampler}.jsonl").read_text()
    assert text == (results / "1.in_order.jsonl").read_text()
    ids = [json.loads(line)["id"] for line in text.splitlines()]
    assert ids == [f"{index}_0" for index in range(SAMPLES)]
