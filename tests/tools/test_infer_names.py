"""Command `infer` on files whose names are unusual, which every file system but a few allows."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.cli.main import main
from vgtoolbox.evaluation import read_predictions
from vgtoolbox.inference import GroundingResult

INFER = Path(__file__).parents[2] / "tools" / "infer.py"

NAMES = {
    "plain": b"a.jpg",
    "latin-1": b"caf\xe9.jpg",
    "line break and quotes": b'two\nlines\t"quoted"\x1b[31m.jpg',
    "longest": b"x" * 251 + b".jpg",
    "composed": "\u00e9.jpg".encode(),
    "decomposed": "e\u0301.jpg".encode(),
    "a surrogate as bytes": b"\xed\xa0\xbd.jpg",
}


def make_photo(folder, name):
    folder.mkdir(exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    try:
        with (folder / os.fsdecode(name)).open("wb") as file:
            Image.fromarray(pixels).save(file, "JPEG")
    except OSError as error:
        pytest.skip(f"this file system refuses the name: {error}")


def names_in(records):
    return sorted(os.fsencode(Path(record["image"]).name) for record in records)


@pytest.fixture
def infer(released_checkpoint, tmp_path):
    def run(*words):
        return main(
            [
                *("infer", "--images", str(tmp_path / "photos"), "--expressions", "a", "b"),
                *("--checkpoint", str(released_checkpoint), "--device", "cpu"),
                *("--score-thr", "0.01", "--out", str(tmp_path / "out"), *words),
            ]
        )

    return run


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_file_of_any_name_is_processed_once(name, infer, tmp_path):
    make_photo(tmp_path / "photos", name)
    make_photo(tmp_path / "photos", b"z.jpg")
    assert infer("--formats", "coco", "labelstudio", "--pictures") == 0
    log = tmp_path / "out" / "predictions.jsonl"
    content = log.read_bytes()
    content.decode("utf-8")
    records = read_predictions(log)
    assert names_in(records) == sorted([name, name, b"z.jpg", b"z.jpg"])
    assert all(Path(record["image"]).is_file() for record in records)
    images = json.loads((tmp_path / "out" / "coco.json").read_bytes())["images"]
    assert sorted(os.fsencode(Path(i["file_name"]).name) for i in images) == sorted(
        [name, b"z.jpg"]
    )
    assert len(json.loads((tmp_path / "out" / "labelstudio.json").read_bytes())) == 4
    assert {path.stem for path in (tmp_path / "out").glob("*.png")} == {r["id"] for r in records}
    assert infer() == 0
    assert log.read_bytes() == content


def test_names_that_differ_only_by_normalization_are_two_images(infer, tmp_path):
    make_photo(tmp_path / "photos", NAMES["composed"])
    make_photo(tmp_path / "photos", NAMES["decomposed"])
    if len(list((tmp_path / "photos").iterdir())) < 2:
        pytest.skip("this file system normalizes names")
    assert infer("--formats", "coco") == 0
    records = read_predictions(tmp_path / "out" / "predictions.jsonl")
    assert len({record["image"] for record in records}) == 2
    assert len({record["id"] for record in records}) == 4
    assert len(json.loads((tmp_path / "out" / "coco.json").read_bytes())["images"]) == 2


def test_results_of_such_a_file_can_be_saved_and_printed(infer, tmp_path, capsys):
    make_photo(tmp_path / "photos", NAMES["latin-1"])
    infer()
    record = read_predictions(tmp_path / "out" / "predictions.jsonl")[0]
    result = GroundingResult.from_dict(record, score_thr=0.01)
    assert json.loads(result.to_json()) == record
    assert json.loads(result.save(tmp_path / "one.json").read_bytes()) == record
    rows = list(csv.DictReader(result.to_csv().splitlines()))
    assert all(row["image"].endswith(r"caf\udce9.jpg") for row in rows)
    assert repr(result).startswith(r"caf\udce9.jpg, 'a'")


def test_a_broken_file_is_named_in_one_line(released_checkpoint, tmp_path):
    make_photo(tmp_path / "photos", b"a.jpg")
    for name in (b"br\xe9\n\x1b[31mken.jpg", b"n\xe9te.txt"):
        (tmp_path / "photos" / os.fsdecode(name)).write_bytes(b"hello")
    done = subprocess.run(
        [
            *(sys.executable, INFER, "--images", tmp_path / "photos", "--expressions", "a"),
            *("--checkpoint", released_checkpoint, "--device", "cpu", "--out", tmp_path / "out"),
        ],
        capture_output=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 1
    assert rb"br\udce9\n\x1b[31mken.jpg is not an image" in done.stderr.splitlines()[-1]
    assert rb"n\udce9te.txt" in done.stdout
    assert len(read_predictions(tmp_path / "out" / "predictions.jsonl")) == 1
