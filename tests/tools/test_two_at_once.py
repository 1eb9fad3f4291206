"""Two runs with one output, started at once: one works, the other names it and ends."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.cli.main import main
from vgtoolbox.evaluation import read_predictions
from vgtoolbox.utils.locks import lock_output

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests" / "engine"
# Each process waits here once its imports are done, so that both begin at the same time.
START = """
import sys, time
from pathlib import Path
from vgtoolbox.cli.main import main
import vgtoolbox.cli.{command}
Path(sys.argv[1], f"ready-{{sys.argv[2]}}").touch()
while not Path(sys.argv[1], "go").exists():
    time.sleep(0.005)
sys.exit(main(sys.argv[3:]))
"""


def start_two(folder, command, *words):
    """Run a command in two processes at once; return (pid, exit code, stderr), the winner first."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    paths = [str(TOY), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(paths)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", START.format(command=command), folder, str(number), command]
            + [str(word) for word in words],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    while not all((folder / f"ready-{number}").exists() for number in range(2)):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)
    (folder / "go").touch()
    errors = [process.communicate(timeout=240)[1] for process in processes]
    done = [
        (process.pid, process.returncode, error)
        for process, error in zip(processes, errors, strict=True)
    ]
    return sorted(done, key=lambda row: row[1])


def check_one_was_refused(done):
    (first, code, error), (_, refused, message) = done
    assert (code, refused) == (0, 2), error + message
    lines = [line for line in message.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert "Traceback" not in message
    assert re.search(rf"is in use by process {first} on \S+, started 2\S+ \S+: ", lines[0])


@pytest.mark.slow
def test_two_preparations(tmp_path):
    counts = ("--num-train", 80, "--num-val", 1, "--num-test", 1, "--workers", 1)
    check_one_was_refused(
        start_two(tmp_path, "data", "shapes", "--out", tmp_path / "world", *counts)
    )
    assert len(list((tmp_path / "world" / "images").iterdir())) == 82
    hidden = {path.name for path in tmp_path.glob(".*")}
    assert hidden <= {".world.lock"}


@pytest.mark.slow
def test_two_trainings(tmp_path):
    config = TOY / "toy_config.py"
    options = ("--work-dir", tmp_path / "run", "--device", "cpu")
    check_one_was_refused(start_two(tmp_path, "train", config, *options))
    assert (tmp_path / "run" / "last_checkpoint").read_text().endswith("epoch_2.pth")


@pytest.mark.slow
def test_two_inferences(tmp_path, released_checkpoint):
    photos = tmp_path / "photos"
    photos.mkdir()
    for index in range(40):
        pixels = np.full((30, 40, 3), 6 * index, dtype=np.uint8)
        Image.fromarray(pixels).save(photos / f"{index}.png")
    words = ("--images", photos, "--expressions", "the red circle", "two dogs")
    model = ("--checkpoint", released_checkpoint, "--device", "cpu", "--batch-size", 1)
    check_one_was_refused(start_two(tmp_path, "infer", *words, *model, "--out", tmp_path / "out"))
    records = read_predictions(tmp_path / "out" / "predictions.jsonl")
    assert len({(r["image"], r["expression"]) for r in records}) == len(records) == 80


def test_a_second_setup_in_one_data_root_is_refused(tmp_path, capsys):
    root, source = tmp_path / "data", tmp_path / "downloads"
    source.mkdir()
    words = ["data", "refcoco", "--source", str(source), "--root", str(root)]
    with lock_output(root, inside=True):
        assert main(words) == 2
    assert f"{root} is in use by process {os.getpid()} on " in capsys.readouterr().err
    assert main(words) == 1  # nothing to set up
