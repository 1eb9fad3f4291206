"""Classify the error of a prediction from its boxes or, without boxes, from its mask."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from torch import Tensor

from vgtoolbox.evaluation.functional import greedy_pairs
from vgtoolbox.structures import RLE, box_iou, merge_rles, rle_areas


class ErrorType(str, Enum):
    """Error type of a sample. Exactly one per sample.

    K predicted boxes and N targets are paired greedily by IoU, first down to `iou_thr` (*found*),
    then the remaining ones down to `loose_thr` (*loose*). Boxes that are still unpaired are
    *extra*, and unpaired targets are *missed*.
    """

    CORRECT = "correct"
    """All targets are found and no box is unpaired; or N = K = 0."""
    LOOSE = "loose box"
    """No box and no target is unpaired, but some pairs are loose."""
    WRONG = "wrong object"
    """A box and a target are unpaired: another object was taken for the target."""
    MISSED = "missed target"
    """A target is unpaired, but no box: too few were found."""
    EXTRA = "extra target"
    """A box is unpaired, but no target: too many were found."""
    REJECTED = "rejected target"
    """N > 0 and K = 0: the prediction is "no target"."""
    HALLUCINATED = "hallucinated target"
    """N = 0 and K > 0: the prediction claims a target that does not exist."""


def classify_box_errors(
    boxes_xyxy: Tensor, target_boxes_xyxy: Tensor, *, iou_thr: float = 0.5, loose_thr: float = 0.1
) -> ErrorType:
    """Return the error type of predicted boxes.

    Args:
        boxes_xyxy: Predicted boxes (K, 4); K = 0 if the prediction is "no target".
        target_boxes_xyxy: Target boxes (N, 4).
        iou_thr: Least IoU of a found pair.
        loose_thr: Least IoU of a loose pair.

    Raises:
        ValueError: The thresholds do not satisfy 0 < loose_thr <= iou_thr.
    """
    if not 0 < loose_thr <= iou_thr:
        raise ValueError(
            f"thresholds must satisfy 0 < loose_thr <= iou_thr, got loose_thr={loose_thr} and "
            f"iou_thr={iou_thr}"
        )
    similarity = box_iou(boxes_xyxy.double(), target_boxes_xyxy.double())
    num_boxes, num_targets = similarity.shape
    if not num_boxes or not num_targets:
        return _classify_unpaired(num_boxes, num_targets)
    # Greedy pairs come in order of decreasing IoU, so those down to `loose_thr` begin with the
    # found ones.
    pairs = greedy_pairs(similarity, loose_thr)
    loose = any(similarity[pair] < iou_thr for pair in pairs)
    return _classify(loose=loose, extra=num_boxes > len(pairs), missed=num_targets > len(pairs))


def classify_mask_error(
    pred: RLE, targets: Sequence[RLE], *, iou_thr: float = 0.5, rejected: bool = False
) -> ErrorType:
    """Return the error type of a prediction that has a mask but no boxes.

    It is correct if its IoU with the union of the targets is at least `iou_thr`. Otherwise a target
    is missed if the mask covers less than half of it, and there is an extra target if more than
    half of the mask is outside all targets.

    Args:
        pred: Merged mask.
        targets: N target masks of the same size.
        iou_thr: Least IoU of a correct mask.
        rejected: Whether the prediction is "no target".
    """
    height, width = pred["size"]
    size = (height, width)
    shared = [merge_rles([pred, target], size, intersect=True) for target in targets]
    union = merge_rles(targets, size)
    hit = merge_rles([pred, union], size, intersect=True)
    pred_area, union_area, hit_area = rle_areas([pred, union, hit]).tolist()
    if rejected or not pred_area or not targets:
        return _classify_unpaired(int(pred_area > 0 and not rejected), len(targets))
    if hit_area >= iou_thr * (pred_area + union_area - hit_area):
        return ErrorType.CORRECT
    covered = rle_areas(shared) * 2 >= rle_areas(targets)
    return _classify(loose=True, extra=2 * hit_area < pred_area, missed=not covered.all())


def _classify_unpaired(predictions: int, targets: int) -> ErrorType:
    """Return the error type if there are no predictions, no targets, or neither."""
    if predictions:
        return ErrorType.HALLUCINATED
    return ErrorType.REJECTED if targets else ErrorType.CORRECT


def _classify(*, loose: bool, extra: bool, missed: bool) -> ErrorType:
    if extra and missed:
        return ErrorType.WRONG
    if extra:
        return ErrorType.EXTRA
    if missed:
        return ErrorType.MISSED
    return ErrorType.LOOSE if loose else ErrorType.CORRECT
