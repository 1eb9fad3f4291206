"""Referring expression comprehension: one box for one expression."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from vgtoolbox.evaluation.functional.aggregate import percent
from vgtoolbox.evaluation.functional.rows import BoxRow
from vgtoolbox.structures import box_iou

REC_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


def ranked_box_ious(row: BoxRow) -> Tensor:
    """Return the IoU of each box with the first target, (Q,) double, by descending score.

    Raises:
        ValueError: The expression has no target.
    """
    if row.no_target:
        raise ValueError("an expression that names nothing has no box to compare with")
    order = row.scores.argsort(descending=True, stable=True)
    return box_iou(row.boxes_xyxy[order].double(), row.target_boxes_xyxy[:1].double())[:, 0]


def rec_metrics(
    rows: Sequence[BoxRow],
    *,
    thresholds: Sequence[float] = REC_THRESHOLDS,
    inclusive: bool = True,
    top_k: Sequence[int] = (1,),
) -> dict[str, float]:
    """Return `Acc@X` in percent over the expressions that name something.

    Args:
        rows: One row per expression (not per object).
        thresholds: Values X of `Acc@X`.
        inclusive: Whether an IoU of exactly X is a hit (mmdet, TransVG, InstanceVG). `False`
            requires more than X (MLLMSeg, SegLLM).
        top_k: Numbers of highest-scoring boxes of which one must be a hit; `Acc@X (top k)` for
            k > 1 (mmdet's RefExp reports 1, 5 and 10).
    """
    ranked = [ranked_box_ious(row) for row in rows if not row.no_target]
    values = {}
    for k in top_k:
        best = [float(ious[:k].max()) if len(ious) else 0.0 for ious in ranked]
        for x in thresholds:
            hits = sum(iou > x or (inclusive and iou == x) for iou in best)
            values[f"Acc@{x:g}" + (f" (top {k})" if k > 1 else "")] = percent(hits, len(best))
    return values
