"""Error types of boxes and masks compared with hand-made examples."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.evaluation import ErrorType, classify_box_errors, classify_mask_error
from vgtoolbox.structures import empty_rle, encode_masks

A, B, FAR = [0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]
HALF_OF_A = [0, 0, 10, 4]  # IoU .4 with A


def classify(found, targets, **options):
    def boxes(rows):
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)

    return classify_box_errors(boxes(found), boxes(targets), **options)


@pytest.mark.parametrize(
    ("found", "targets", "expected"),
    [
        ([], [], ErrorType.CORRECT),
        ([A], [], ErrorType.HALLUCINATED),
        ([], [A], ErrorType.REJECTED),
        ([A], [A], ErrorType.CORRECT),
        ([B, A], [A, B], ErrorType.CORRECT),
        ([HALF_OF_A], [A], ErrorType.LOOSE),
        ([HALF_OF_A, B], [A, B], ErrorType.LOOSE),
        ([FAR], [A], ErrorType.WRONG),
        ([A, FAR], [A, B], ErrorType.WRONG),
        ([A], [A, B], ErrorType.MISSED),
        ([HALF_OF_A], [A, B], ErrorType.MISSED),
        ([A, FAR], [A], ErrorType.EXTRA),
        ([A, A], [A], ErrorType.EXTRA),
        ([A, HALF_OF_A], [A], ErrorType.EXTRA),
    ],
)
def test_error_types_of_boxes(found, targets, expected):
    assert classify(found, targets) is expected


def test_thresholds_change_the_error_type():
    assert classify([HALF_OF_A], [A], iou_thr=0.4) is ErrorType.CORRECT
    assert classify([HALF_OF_A], [A], loose_thr=0.45) is ErrorType.WRONG
    with pytest.raises(ValueError, match="loose_thr <= iou_thr"):
        classify([A], [A], iou_thr=0.1, loose_thr=0.5)


SIZE = (4, 12)


def columns(*indices):
    mask = torch.zeros(1, *SIZE, dtype=torch.bool)
    mask[:, :, list(indices)] = True
    return encode_masks(mask)[0]


@pytest.mark.parametrize(
    ("found", "targets", "expected"),
    [
        ((0, 1), [(0, 1)], ErrorType.CORRECT),
        ((0, 1, 4, 5), [(0, 1), (4, 5)], ErrorType.CORRECT),
        ((8,), [(0, 1)], ErrorType.WRONG),
        ((0, 1), [(0, 1), (4, 5), (8, 9)], ErrorType.MISSED),
        ((0, 1, 4, 5, 6, 7), [(0, 1)], ErrorType.EXTRA),
        ((0, 1, 2, 3, 8, 9), [(1, 2, 3, 4, 5, 6, 7)], ErrorType.MISSED),
        ((0, 1, 2, 3), [(2, 3, 4, 5)], ErrorType.LOOSE),
        ((), [(0,)], ErrorType.REJECTED),
        ((0,), [], ErrorType.HALLUCINATED),
        ((), [], ErrorType.CORRECT),
    ],
)
def test_error_types_of_masks(found, targets, expected):
    assert (
        classify_mask_error(columns(*found), [columns(*target) for target in targets]) is expected
    )


def test_a_rejection_overrides_the_mask():
    assert classify_mask_error(columns(0), [columns(0)], rejected=True) is ErrorType.REJECTED
    assert classify_mask_error(columns(0), [], rejected=True) is ErrorType.CORRECT
    assert classify_mask_error(empty_rle(SIZE), [columns(0)]) is ErrorType.REJECTED


boxes = st.lists(st.sampled_from([A, B, FAR, HALF_OF_A, [5, 0, 15, 10]]), max_size=4)


@given(boxes, boxes, st.randoms())
def test_the_numbers_of_boxes_and_targets_limit_the_error_type(found, targets, random):
    error_type = classify(found, targets)
    assert classify(targets, targets) is ErrorType.CORRECT
    if error_type in (ErrorType.CORRECT, ErrorType.LOOSE):
        assert len(found) == len(targets)
    if error_type is ErrorType.MISSED:
        assert len(found) < len(targets)
    if error_type is ErrorType.EXTRA:
        assert len(found) > len(targets)
    assert (error_type is ErrorType.REJECTED) == (not found and bool(targets))
    assert (error_type is ErrorType.HALLUCINATED) == (bool(found) and not targets)
