"""Results of single samples."""

from __future__ import annotations

import pytest

from vgtoolbox.evaluation import ErrorCriteria, ErrorType, sample_result, worst_results


def test_result_of_a_sample_by_hand(sample):
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


def test_criteria_select_the_boxes_that_count(sample):
    unsure = sample("a", [(0,)], [(0,), (3,)], [0.4, 0.3])
    assert sample_result(unsure, ErrorCriteria()).error_type is ErrorType.REJECTED
    assert sample_result(unsure, ErrorCriteria(keep="best")).error_type is ErrorType.CORRECT
    # If the prediction is "no target", boxes of high score do not count.
    rejected = {**sample("a", [(0,)], [(0,)], [0.9]), "pred_no_target": True}
    assert sample_result(rejected, ErrorCriteria()).error_type is ErrorType.REJECTED
    assert sample_result(rejected, ErrorCriteria()).mask_iou == 0.0


def test_masks_are_classified_if_there_are_no_boxes(sample):
    found = sample_result(sample("a", [(0, 1)], [(0, 1)], [0.9], boxes=False), ErrorCriteria())
    assert (found.error_type, found.mask_iou, found.top_score) == (ErrorType.CORRECT, 1.0, None)
    none = sample_result(sample("a", [], [], [], boxes=False), ErrorCriteria())
    assert (none.error_type, none.mask_iou, none.smallest_target) == (ErrorType.CORRECT, 1.0, None)


def test_masks_are_optional(sample):
    boxes_only = sample("a", [(0,)], [(0,)], [0.9])
    boxes_only["gt_instances_ori"]["masks"] = []
    result = sample_result(boxes_only, ErrorCriteria())
    assert (result.error_type, result.mask_iou) == (ErrorType.CORRECT, None)
    del boxes_only["pred_merged_mask"]
    assert sample_result(boxes_only, ErrorCriteria()).target_area is None


def test_worst_results_come_first(results):
    assert [result.sample_id for result in worst_results(results, 9)] == [
        "wrong",
        "hallucination",
        "missed",
    ]
    assert len(worst_results(results, 1)) == 1
    assert worst_results([], 3) == []
