"""Commands that read predictions end with one line and exit code 2 if a mask or box is wrong."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.cli.main import main

SIZE = [100, 100]
MASK = {"size": SIZE, "counts": "T3X6"}
"""Run lengths of 300 of 10000 pixels, for which pycocotools never ends."""
WHOLE = {"size": SIZE, "counts": [9000, 1000]}
RECORD = {
    "id": "11_0",
    "image": "a.png",
    "expression": "a",
    "size": SIZE,
    "boxes_xyxy": [[1, 1, 9, 9]],
    "scores": [0.9],
    "masks": [WHOLE],
    "merged_mask": WHOLE,
    "no_target": False,
    "existence": 0.9,
    "text": None,
}
BROKEN = {
    "merged_mask": ({"merged_mask": MASK}, "merged_mask"),
    "masks": ({"masks": [MASK]}, "masks[0]"),
    "boxes": ({"boxes_xyxy": [[9, 9, 1, 1]]}, "boxes_xyxy[0]"),
    "scores": ({"scores": [0.9, 0.8]}, "scores"),
    "null": ({"boxes_xyxy": None}, "boxes_xyxy"),
}


@pytest.fixture
def folder(tmp_path):
    Image.fromarray(np.zeros((*SIZE, 3), np.uint8)).save(tmp_path / "a.png")
    square = [2, 2, 12, 2, 12, 12, 2, 12]
    annotation = {"id": 11, "image_id": 1, "bbox": [2, 2, 10, 10], "segmentation": [square]}
    image = {"id": 1, "file_name": "a.png", "height": SIZE[0], "width": SIZE[1]}
    content = {"images": [image], "annotations": [{**annotation, "expressions": ["a"]}]}
    (tmp_path / "own.json").write_text(json.dumps(content))
    dataset = {"type": "COCOExpressionsDataset", "data_root": str(tmp_path), "split": "val"}
    dataset["ann_file"] = "own.json"
    (tmp_path / "config.py").write_text(
        f"own = dict(dataset={dataset}, evaluator=[dict(type='GRESMetric')])\n"
        "test_splits = dict(own=own)\ndel own\n"
    )
    return tmp_path


def run(command, folder, record, capsys):
    path = folder / "predictions.jsonl"
    path.write_text(json.dumps(record) + "\n")
    config = ["--config", str(folder / "config.py"), "--split", "own"]
    words = {
        "eval": ["eval", str(path), *config],
        "errors": ["errors", str(path), *config, "--out", str(folder / "errors")],
        "draw": ["draw", "--predictions", str(path), *config],
    }
    code = main(words[command])
    return code, capsys.readouterr().err


@pytest.mark.parametrize("command", ["eval", "errors", "draw"])
@pytest.mark.parametrize("case", BROKEN)
def test_wrong_predictions_end_a_command_in_one_line(folder, capsys, command, case):
    changes, key = BROKEN[case]
    code, err = run(command, folder, {**RECORD, **changes}, capsys)
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith(f"error: {folder / 'predictions.jsonl'}, line 1: {key}")
    if MASK in (changes.get("merged_mask"), *changes.get("masks", ())):
        assert "got 2 runs of 300 pixels, the image has 10000" in err


@pytest.mark.parametrize("command", ["eval", "errors", "draw"])
def test_right_predictions_are_read(folder, capsys, command):
    code, err = run(command, folder, RECORD, capsys)
    assert (code, err) == (0, "")
