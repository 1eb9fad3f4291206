"""Results of samples, their table on disk, breakdown and plots."""

from __future__ import annotations

import csv
import io

import pytest
import torch
from rich.console import Console

from vgtoolbox.evaluation import (
    ErrorCriteria,
    ErrorType,
    error_breakdown,
    error_table,
    plot_errors,
    sample_result,
    worst_results,
    write_sample_table,
)
from vgtoolbox.evaluation.error_analysis.report import error_shares
from vgtoolbox.evaluation.error_analysis.words import expression_words, word_categories
from vgtoolbox.structures import encode_masks, merge_rles, rle_boxes_xyxy

SIZE = (10, 10)


def columns(*indices):
    mask = torch.zeros(1, *SIZE, dtype=torch.bool)
    mask[:, :, list(indices)] = True
    return encode_masks(mask)[0]


def sample(name, targets, found, scores, *, expression="the red one", boxes=True, **more):
    target_masks, masks = [columns(*t) for t in targets], [columns(*f) for f in found]
    kept = [mask for mask, score in zip(masks, scores, strict=True) if score >= 0.7]
    return {
        "sample_id": name,
        "img_path": f"{name}.jpg",
        "expression": expression,
        "ori_shape": SIZE,
        "gt_instances_ori": {"boxes_xyxy": rle_boxes_xyxy(target_masks), "masks": target_masks},
        "pred_instances": {
            "boxes_xyxy": rle_boxes_xyxy(masks) if boxes else torch.zeros(0, 4),
            "scores": torch.tensor(scores if boxes else []),
            "masks": masks if boxes else [],
        },
        "pred_merged_mask": merge_rles(kept, SIZE),
        "pred_no_target": not kept,
        "pred_existence": max(scores, default=0.1),
        **more,
    }


def test_result_of_a_sample_by_hand():
    result = sample_result(
        sample("a", [(0, 1), (5,)], [(0,), (9,)], [0.9, 0.8]), ErrorCriteria(iou_thr=0.5)
    )
    assert result.as_row() == {
        "sample_id": "a",
        "image": "a.jpg",
        "expression": "the red one",
        "targets": 2,
        "smallest_target": 0.1,
        "pred_no_target": False,
        "existence": 0.9,
        "top_score": pytest.approx(0.9),
        "kept_boxes": 2,
        "best_box_iou": 0.5,
        "box_f1": 0.5,
        "intersection": 10,
        "pred_area": 20,
        "target_area": 30,
        "mask_iou": 0.25,
        "error_type": "wrong object",
    }


def test_criteria_select_the_boxes_that_count():
    unsure = sample("a", [(0,)], [(0,), (3,)], [0.4, 0.3])
    assert sample_result(unsure, ErrorCriteria()).error_type is ErrorType.REJECTED
    assert sample_result(unsure, ErrorCriteria(keep="best")).error_type is ErrorType.CORRECT
    # If the prediction is "no target", boxes of high score do not count.
    rejected = {**sample("a", [(0,)], [(0,)], [0.9]), "pred_no_target": True}
    assert sample_result(rejected, ErrorCriteria()).error_type is ErrorType.REJECTED
    assert sample_result(rejected, ErrorCriteria()).mask_iou == 0.0


def test_masks_are_classified_if_there_are_no_boxes():
    found = sample_result(sample("a", [(0, 1)], [(0, 1)], [0.9], boxes=False), ErrorCriteria())
    assert (found.error_type, found.mask_iou, found.top_score) == (ErrorType.CORRECT, 1.0, None)
    none = sample_result(sample("a", [], [], [], boxes=False), ErrorCriteria())
    assert (none.error_type, none.mask_iou, none.smallest_target) == (ErrorType.CORRECT, 1.0, None)


def test_masks_are_optional():
    boxes_only = sample("a", [(0,)], [(0,)], [0.9])
    boxes_only["gt_instances_ori"]["masks"] = []
    result = sample_result(boxes_only, ErrorCriteria())
    assert (result.error_type, result.mask_iou) == (ErrorType.CORRECT, None)
    del boxes_only["pred_merged_mask"]
    assert sample_result(boxes_only, ErrorCriteria()).target_area is None


@pytest.fixture
def results():
    samples = [
        sample("hit", [(0,)], [(0,)], [0.9], expression="left red circle"),
        sample("rejection", [], [], [], expression="the 2 dogs"),
        sample(
            "hallucination",
            [],
            [(4,)],
            [0.95],
            expression="a man who is eating a very large hot dog",
        ),
        sample("missed", [(0, 1, 2), (5,)], [(0, 1, 2)], [0.8], expression="both!"),
        sample("wrong", [(0,)], [(9,)], [0.99], expression="Something, else"),
    ]
    return [sample_result(each, ErrorCriteria()) for each in samples]


def test_breakdown_counts_error_types_by_property(results):
    breakdown = error_breakdown(results)
    assert breakdown["all"]["all"].total() == 5
    by_targets = breakdown["number of targets"]
    assert {kind: count.total() for kind, count in by_targets.items()} == {"0": 2, "1": 2, "2": 1}
    assert by_targets["0"] == {ErrorType.CORRECT: 1, ErrorType.HALLUCINATED: 1}
    assert by_targets["2"] == {ErrorType.MISSED: 1}
    sizes = breakdown["smallest target, of the image"]
    assert {kind: count.total() for kind, count in sizes.items()} == {"5 to 20 %": 3}
    lengths = {k: c.total() for k, c in breakdown["length of the expression"].items()}
    assert lengths == {"1 to 3 words": 4, "7 to 10 words": 1}
    words = {kind: count.total() for kind, count in breakdown["words for"].items()}
    assert words == {"position": 1, "color": 1, "number": 2, "none": 2}


def test_word_categories_of_expressions():
    assert expression_words("The man's LEFT hand, (2nd)") == ["the", "man's", "left", "hand", "2nd"]
    assert word_categories("The man's LEFT hand, (2nd)") == ["position", "number"]
    assert word_categories("redder") == ["none"]
    assert word_categories("") == ["none"]


def test_worst_results_come_first(results):
    assert [result.sample_id for result in worst_results(results, 9)] == [
        "wrong",
        "hallucination",
        "missed",
    ]
    assert len(worst_results(results, 1)) == 1
    assert worst_results([], 3) == []


def test_shares_add_up_to_100(results):
    shares = error_shares(error_breakdown(results)["all"]["all"])
    assert sum(shares.values()) == pytest.approx(100)
    assert shares[ErrorType.CORRECT] == 40.0


def test_the_report_names_every_property(results, tmp_path):
    console = Console(file=io.StringIO(), width=200)
    console.print(error_table(error_breakdown(results), title="test"))
    text = console.file.getvalue()
    for word in ("hallucinated", "7 to 10 words", "40.0", "color"):
        assert word in text
    path = tmp_path / "deep" / "errors.png"
    plot_errors(error_breakdown(results), path, title="test")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_rows_are_written_as_csv_and_parquet(results, tmp_path):
    rows = [result.as_row() for result in results]
    write_sample_table(tmp_path / "rows.csv", rows)
    with (tmp_path / "rows.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [row["error_type"] for row in read] == [row["error_type"] for row in rows]
    assert read[1]["smallest_target"] == ""
    parquet = pytest.importorskip("pyarrow.parquet")
    write_sample_table(tmp_path / "rows.parquet", rows)
    assert parquet.read_table(tmp_path / "rows.parquet").to_pylist() == rows
    with pytest.raises(ValueError, match=r"\.parquet or \.csv"):
        write_sample_table(tmp_path / "rows.xlsx", rows)


def test_no_rows_give_an_empty_file(tmp_path):
    write_sample_table(tmp_path / "rows.csv", [])
    assert (tmp_path / "rows.csv").exists()
    assert error_breakdown([])["all"] == {}
