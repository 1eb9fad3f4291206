"""Referring expression comprehension: one box for one expression."""

from __future__ import annotations

from collections.abc import Sequence

from vgtoolbox.evaluation.functional.aggregate import percent
from vgtoolbox.evaluation.functional.rows import BoxRow
from vgtoolbox.structures import box_iou

REC_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


def best_box_iou(row: BoxRow) -> float:
    """Return the IoU of the box of highest score with the first target; 0 without a prediction."""
    if len(row.scores) == 0:
        return 0.0
    best = row.boxes_xyxy[row.scores.argmax()]
    return float(box_iou(best[None].double(), row.target_boxes_xyxy[:1].double()))


def rec_metrics(
    rows: Sequence[BoxRow],
    *,
    thresholds: Sequence[float] = REC_THRESHOLDS,
    inclusive: bool = True,
) -> dict[str, float]:
    """Return `Acc@X` in percent over the expressions that name something.

    Args:
        rows: One an expression, not one an object.
        thresholds: The values X.
        inclusive: An IoU of exactly X counts (mmdet, TransVG, InstanceVG). MLLMSeg and SegLLM want
            more than X.
    """
    ious = [best_box_iou(row) for row in rows if not row.no_target]
    return {
        f"Acc@{x:g}": percent(sum(iou > x or (inclusive and iou == x) for iou in ious), len(ious))
        for x in thresholds
    }
