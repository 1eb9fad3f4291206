"""Scripts eval_predictions.py and analyze_errors.py on a split of two images."""

from __future__ import annotations

import csv
import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vgtoolbox.structures import empty_rle, segmentation_to_rle

TOOLS = Path(__file__).parents[2] / "tools"
SIZE = (40, 60)
POLYGON = [10, 10, 30, 10, 30, 30, 10, 30]


@pytest.fixture
def config(tmp_path):
    """Return a config whose split has an expression with a target and one without."""
    (tmp_path / "images").mkdir()
    lines = []
    for name, boxes, masks in (("a", [[10, 10, 30, 30]], [[POLYGON]]), ("b", [], [])):
        Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(tmp_path / "images" / f"{name}.png")
        entry = {"image": f"{name}.png", "expression": f"the red {name}", "id": name}
        lines.append({**entry, "boxes": boxes, "masks": masks, "height": 40, "width": 60})
    (tmp_path / "own.jsonl").write_text("\n".join(map(json.dumps, lines)))
    dataset = {
        "type": "JSONLinesDataset",
        "data_root": str(tmp_path),
        "ann_file": "own.jsonl",
        "image_root": "images",
        "split": "test",
    }
    path = tmp_path / "config.py"
    path.write_text(
        f"own = dict(dataset={dataset}, evaluator=[dict(type='GRESMetric')])\n"
        "test_splits = dict(own=own)\ndel own\n"
        "model = dict(postprocessor=dict(score_thr=0.5))\n"
    )
    return path


@pytest.fixture
def predictions(tmp_path):
    """Return predictions: right for the first expression, a false positive for the second."""
    target = segmentation_to_rle([POLYGON], SIZE)
    lines = [
        {"id": name, "expression": f"the red {name}", "merged_mask": target, "no_target": False}
        | {"boxes_xyxy": [[10, 10, 30, 30]], "scores": [0.6], "masks": [target], "existence": 0.6}
        for name in "ab"
    ]
    shared = {"image": "x.jpg", "size": list(SIZE), "text": None}
    path = tmp_path / "own" / "predictions.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(line | shared) + "\n" for line in lines))
    return path


@pytest.fixture
def run(monkeypatch, capsys):
    def run_tool(tool, *words):
        monkeypatch.setattr(sys, "argv", [str(word) for word in (tool, *words)])
        code = 0
        try:
            runpy.run_path(str(TOOLS / tool), run_name="__main__")
        except SystemExit as exit_:
            code = exit_.code
        return code, *capsys.readouterr()

    return run_tool


EVAL, ANALYZE = "eval_predictions.py", "analysis/analyze_errors.py"


def test_a_split_is_scored_by_its_own_metrics(run, config, predictions, tmp_path):
    out, rows = tmp_path / "metrics.json", tmp_path / "rows.csv"
    code, text, err = run(EVAL, predictions, "--config", config, "--out", out, "--rows", rows)
    assert (code, err) == (0, "")
    report = json.loads(out.read_text())
    assert report["splits"]["own"]["gres/gIoU"] == 50.0
    assert report["samples"] == 2
    assert "gres: frame=original, protocol=rela" in text
    with rows.open(newline="") as file:
        assert [row["error_type"] for row in csv.DictReader(file)] == [
            "correct",
            "hallucinated target",
        ]


def test_metrics_of_the_command_line_replace_those_of_the_split(run, config, predictions):
    words = ["--metric", "type=GRECMetric", "score_thr=0.9", "--metric", "type=RECMetric"]
    code, text, _ = run(EVAL, predictions, "--config", config, *words)
    assert code == 0
    assert "score_thr=0.9" in text
    assert "rec/Acc@0.5" in text
    assert "gres/" not in text


def test_coco_results_against_a_dataset_without_a_config(run, config, predictions, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{"image_id": "a", "bbox": [10, 10, 20, 20], "score": 0.9}]))
    dataset = ["--dataset", "type=JSONLinesDataset", f"data_root={tmp_path}", "split=test"]
    dataset += ["ann_file=own.jsonl", "image_root=images", "--metric", "type=GRECMetric"]
    code, _, err = run(EVAL, path, *dataset)
    assert code == 2
    assert "1 of 2 samples have no prediction, the first is sample_id 'b'" in err
    out = tmp_path / "metrics.json"
    assert run(EVAL, path, *dataset, "--missing", "nothing", "--out", out)[0] == 0
    assert json.loads(out.read_text())["splits"]["predictions"]["grec/Pr@(F1=1)"] == 100.0


def test_bad_input_is_reported_in_one_line(run, config, predictions, tmp_path):
    (tmp_path / "odd.json").write_text("image,box\n")
    for words, culprit in (
        ([predictions, "--config", config, "--split", "nowhere"], "its splits: own"),
        (
            [tmp_path / "odd.json", "--config", config, "--split", "own"],
            "unknown prediction format",
        ),
        ([predictions, "--config", config, "--rows", "rows.xlsx"], ".parquet or .csv"),
        ([predictions, "--config", config, "--metric", "type=GRSMetric"], "GRESMetric"),
        ([predictions, "--dataset", "data_root=x"], "needs a type"),
    ):
        code, _, err = run(EVAL, *words)
        assert code == 2
        assert err.startswith("error: ")
        assert culprit in err


def test_errors_are_analyzed_and_the_worst_are_drawn(run, config, predictions, tmp_path):
    out = tmp_path / "errors"
    code, text, err = run(ANALYZE, predictions, "--config", config, "--out", out)
    assert (code, err) == (0, "")
    assert "threshold 0.5" in " ".join(text.split())
    assert sorted(path.name for path in out.iterdir()) == ["errors.csv", "errors.png", "worst.png"]
    # One pair of pictures, marked as wrong.
    assert (np.array(Image.open(out / "worst.png")) == (213, 94, 0)).all(-1).any()


def test_without_errors_nothing_is_drawn(run, config, predictions, tmp_path):
    text = predictions.read_text().splitlines()
    right = json.loads(text[1]) | {"no_target": True, "merged_mask": empty_rle(SIZE)}
    predictions.write_text(text[0] + "\n" + json.dumps(right))
    code, _, _ = run(ANALYZE, predictions, "--config", config, "--out", tmp_path / "errors")
    assert code == 0
    assert not (tmp_path / "errors" / "worst.png").exists()
