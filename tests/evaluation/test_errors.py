"""Verdicts by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.evaluation import Verdict, judge_boxes, judge_mask
from vgtoolbox.structures import empty_rle, encode_masks

A, B, FAR = [0, 0, 10, 10], [20, 0, 30, 10], [50, 50, 60, 60]
HALF_OF_A = [0, 0, 10, 4]  # IoU .4 with A


def judge(found, targets, **options):
    def boxes(rows):
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)

    return judge_boxes(boxes(found), boxes(targets), **options)


@pytest.mark.parametrize(
    ("found", "targets", "expected"),
    [
        ([], [], Verdict.CORRECT),
        ([A], [], Verdict.HALLUCINATED),
        ([], [A], Verdict.REJECTED),
        ([A], [A], Verdict.CORRECT),
        ([B, A], [A, B], Verdict.CORRECT),
        ([HALF_OF_A], [A], Verdict.LOOSE),
        ([HALF_OF_A, B], [A, B], Verdict.LOOSE),
        ([FAR], [A], Verdict.WRONG),
        ([A, FAR], [A, B], Verdict.WRONG),
        ([A], [A, B], Verdict.MISSED),
        ([HALF_OF_A], [A, B], Verdict.MISSED),
        ([A, FAR], [A], Verdict.EXTRA),
        ([A, A], [A], Verdict.EXTRA),
        ([A, HALF_OF_A], [A], Verdict.EXTRA),
    ],
)
def test_boxes(found, targets, expected):
    assert judge(found, targets) is expected


def test_thresholds_of_boxes():
    assert judge([HALF_OF_A], [A], iou_thr=0.4) is Verdict.CORRECT
    assert judge([HALF_OF_A], [A], loose_thr=0.45) is Verdict.WRONG
    with pytest.raises(ValueError, match="loose_thr <= iou_thr"):
        judge([A], [A], iou_thr=0.1, loose_thr=0.5)


SIZE = (4, 12)


def columns(*indices):
    mask = torch.zeros(1, *SIZE, dtype=torch.bool)
    mask[:, :, list(indices)] = True
    return encode_masks(mask)[0]


@pytest.mark.parametrize(
    ("found", "targets", "expected"),
    [
        ((0, 1), [(0, 1)], Verdict.CORRECT),
        ((0, 1, 4, 5), [(0, 1), (4, 5)], Verdict.CORRECT),
        ((8,), [(0, 1)], Verdict.WRONG),
        ((0, 1), [(0, 1), (4, 5), (8, 9)], Verdict.MISSED),
        ((0, 1, 4, 5, 6, 7), [(0, 1)], Verdict.EXTRA),
        ((0, 1, 2, 3, 8, 9), [(1, 2, 3, 4, 5, 6, 7)], Verdict.MISSED),
        ((0, 1, 2, 3), [(2, 3, 4, 5)], Verdict.LOOSE),
        ((), [(0,)], Verdict.REJECTED),
        ((0,), [], Verdict.HALLUCINATED),
        ((), [], Verdict.CORRECT),
    ],
)
def test_masks(found, targets, expected):
    assert judge_mask(columns(*found), [columns(*target) for target in targets]) is expected


def test_a_rejection_counts_more_than_the_mask():
    assert judge_mask(columns(0), [columns(0)], rejected=True) is Verdict.REJECTED
    assert judge_mask(columns(0), [], rejected=True) is Verdict.CORRECT
    assert judge_mask(empty_rle(SIZE), [columns(0)]) is Verdict.REJECTED


boxes = st.lists(st.sampled_from([A, B, FAR, HALF_OF_A, [5, 0, 15, 10]]), max_size=4)


@given(boxes, boxes, st.randoms())
def test_the_number_of_boxes_bounds_the_verdict(found, targets, random):
    verdict = judge(found, targets)
    assert judge(targets, targets) is Verdict.CORRECT
    if verdict in (Verdict.CORRECT, Verdict.LOOSE):
        assert len(found) == len(targets)
    if verdict is Verdict.MISSED:
        assert len(found) < len(targets)
    if verdict is Verdict.EXTRA:
        assert len(found) > len(targets)
    assert (verdict is Verdict.REJECTED) == (not found and bool(targets))
    assert (verdict is Verdict.HALLUCINATED) == (bool(found) and not targets)
