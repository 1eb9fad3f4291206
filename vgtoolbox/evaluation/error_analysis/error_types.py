"""What is wrong with an answer: one word a sample, from boxes or, without those, from masks."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from torch import Tensor

from vgtoolbox.evaluation.functional import greedy_pairs
from vgtoolbox.structures import RLE, box_iou, merge_rles, rle_areas


class ErrorType(str, Enum):
    """What became of an expression; each sample has exactly one.

    With N targets and K boxes of the answer, boxes and targets are paired greedily by IoU, first
    down to `iou_thr` (*found*), then what is left down to `loose_thr` (*loose*). Then `extra` boxes
    and `missed` targets remain.
    """

    CORRECT = "correct"
    """All are found and no box is left; or N = K = 0."""
    LOOSE = "loose box"
    """No box and no target is left, but some pairs are loose."""
    WRONG = "wrong object"
    """A box and a target are left: something else was taken for it."""
    MISSED = "missed target"
    """A target is left and no box: too few were found."""
    EXTRA = "extra target"
    """A box is left and no target: too many were found."""
    REJECTED = "rejected target"
    """N > 0 and K = 0: the answer says that there is none."""
    HALLUCINATED = "hallucinated target"
    """N = 0 and K > 0: the answer shows what is not there."""


def classify_box_errors(
    boxes_xyxy: Tensor, target_boxes_xyxy: Tensor, *, iou_thr: float = 0.5, loose_thr: float = 0.1
) -> ErrorType:
    """Judge the boxes of an answer.

    Args:
        boxes_xyxy: (K, 4), what the answer says; none where it says "no target".
        target_boxes_xyxy: (N, 4).
        iou_thr: A target is found by a box of at least this IoU.
        loose_thr: A box of at least this IoU is meant for the target.
    """
    if not 0 < loose_thr <= iou_thr:
        raise ValueError(f"expected 0 < loose_thr <= iou_thr, got {loose_thr} and {iou_thr}")
    similarity = box_iou(boxes_xyxy.double(), target_boxes_xyxy.double())
    kept, targets = similarity.shape
    if not kept or not targets:
        return _one_sided(kept, targets)
    # Greedy pairs come in falling order, so those of the lower threshold begin with the found ones.
    pairs = greedy_pairs(similarity, loose_thr)
    loose = any(similarity[pair] < iou_thr for pair in pairs)
    return _verdict(loose=loose, extra=kept > len(pairs), missed=targets > len(pairs))


def classify_mask_error(
    pred: RLE, targets: Sequence[RLE], *, iou_thr: float = 0.5, rejected: bool = False
) -> ErrorType:
    """Judge the one mask of an answer without boxes.

    Correct is an IoU of at least `iou_thr` with the union of the targets. Else a target is missed
    where the mask covers less than half of it, and something extra was found where more than half
    of the mask lies outside of all targets.

    Args:
        pred: The merged mask.
        targets: N masks of the same size.
        iou_thr: Least IoU of a correct answer.
        rejected: The answer says "no target".
    """
    height, width = pred["size"]
    size = (height, width)
    shared = [merge_rles([pred, target], size, intersect=True) for target in targets]
    union = merge_rles(targets, size)
    hit = merge_rles([pred, union], size, intersect=True)
    pred_area, union_area, hit_area = rle_areas([pred, union, hit]).tolist()
    if rejected or not pred_area or not targets:
        return _one_sided(int(pred_area > 0 and not rejected), len(targets))
    if hit_area >= iou_thr * (pred_area + union_area - hit_area):
        return ErrorType.CORRECT
    covered = rle_areas(shared) * 2 >= rle_areas(targets)
    return _verdict(loose=True, extra=2 * hit_area < pred_area, missed=not covered.all())


def _one_sided(kept: int, targets: int) -> ErrorType:
    """Judge an answer where boxes, targets or both are none."""
    if kept:
        return ErrorType.HALLUCINATED
    return ErrorType.REJECTED if targets else ErrorType.CORRECT


def _verdict(*, loose: bool, extra: bool, missed: bool) -> ErrorType:
    if extra and missed:
        return ErrorType.WRONG
    if extra:
        return ErrorType.EXTRA
    if missed:
        return ErrorType.MISSED
    return ErrorType.LOOSE if loose else ErrorType.CORRECT
