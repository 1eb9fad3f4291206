"""Script tools/infer.py on a folder: an interrupted run resumes without loss or duplicates."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.cli.main import main
from vgtoolbox.evaluation import read_predictions

INFER = Path(__file__).parents[2] / "tools" / "infer.py"
EXPRESSIONS = ["the red circle", "two dogs", "a large blue square"]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(20):
        size = rng.integers(20, 90, 2)
        pixels = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:02d}.jpg")
    return folder


@pytest.fixture
def command(released_checkpoint, photos, tmp_path):
    return [
        *(sys.executable, INFER, "--images", photos, "--expressions", *EXPRESSIONS),
        *("--checkpoint", released_checkpoint, "--device", "cpu", "--out", tmp_path / "out"),
        *("--score-thr", "0.01", "--batch-size", "4"),
    ]


@pytest.fixture
def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def run(command, environment, *words):
    return subprocess.run(
        [*command, *words], capture_output=True, text=True, env=environment, check=False
    )


def lines_in(path):
    return path.read_bytes().count(b"\n") if path.is_file() else 0


@pytest.mark.slow
def test_a_killed_run_resumes(command, environment, tmp_path, photos):
    log = tmp_path / "out" / "predictions.jsonl"
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    while lines_in(log) < 20 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = lines_in(log)
    assert 20 <= before < 60
    done = run(command, environment, "--formats", "coco", "labelstudio", "--pictures")
    assert done.returncode == 0, done.stderr
    records = read_predictions(log)
    found = [(Path(r["image"]).name, r["expression"]) for r in records]
    expected = [(f"{i:02d}.jpg", text) for i in range(20) for text in EXPRESSIONS]
    assert found == expected
    coco = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert (len(coco["images"]), len(coco["expressions"])) == (20, 60)
    assert len(json.loads((tmp_path / "out" / "labelstudio.json").read_text())) == 60
    pictures = {path.stem for path in (tmp_path / "out").glob("*.png")}
    assert pictures == {record["id"] for record in records}


def test_a_broken_image_is_reported_and_the_others_are_processed(command, tmp_path, photos, capsys):
    for path in sorted(photos.iterdir())[2:]:
        path.unlink()
    (photos / "00.jpg").write_text("no image")
    words = ["infer", *(str(word) for word in command[2:])]
    assert main(words) == 1
    errors = capsys.readouterr().err
    assert "not processed" in errors
    assert "00.jpg is not an image: it contains text" in errors
    assert lines_in(tmp_path / "out" / "predictions.jsonl") == 3
    Image.new("RGB", (9, 9)).save(photos / "00.jpg")
    assert main([*words, "--formats", "coco", "labelstudio"]) == 0
    coco = json.loads((tmp_path / "out" / "coco.json").read_text())
    assert (len(coco["images"]), len(coco["expressions"])) == (2, 6)
