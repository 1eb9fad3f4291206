"""Generalised REC: zero, one or many boxes for one expression (He et al., GREC, 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from torch import Tensor

from vgtoolbox.evaluation.functional.aggregate import existence_accuracy, percent
from vgtoolbox.evaluation.functional.rows import BoxRow
from vgtoolbox.structures import box_iou, generalized_box_iou

BoxMatch = Literal["giou", "iou"]

_SIMILARITIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "giou": generalized_box_iou,
    "iou": box_iou,
}


def kept_boxes(row: BoxRow, score_thr: float) -> Tensor:
    """Return the boxes (K, 4) whose score reaches the threshold, inclusively.

    Scores are compared in double precision, as the published evaluator does: a float32 score of 0.7
    is 0.69999999 and does not reach 0.7.
    """
    return row.boxes_xyxy[row.scores.double() >= score_thr]


def count_matches(similarity: Tensor, threshold: float) -> int:
    """Pair predictions with targets greedily, the most similar first, and count the pairs.

    Args:
        similarity: (K, N).
        threshold: Pairs below it are none.
    """
    left = similarity.clone()
    matches = 0
    for _ in range(min(left.shape)):
        best = int(left.argmax())
        row, column = divmod(best, left.shape[1])
        if left[row, column] < threshold:
            break
        left[row] = left[:, column] = -float("inf")
        matches += 1
    return matches


def grec_metrics(
    rows: Sequence[BoxRow],
    *,
    match: BoxMatch = "giou",
    score_thr: float = 0.7,
    iou_thr: float = 0.5,
) -> dict[str, float]:
    """Return `Pr@(F1=1)`, `N-acc` and `T-acc` in percent.

    A sample counts where its F1 is 1: every kept box is paired with a target and every target with
    a kept box; on a no-target sample, where no box is kept.

    Args:
        rows: All samples of a split.
        match: What must reach `iou_thr`. The official evaluator compares the *generalised* IoU
            although the metric's name says IoU; mmdet's port compares the IoU.
        score_thr: Boxes with at least this score are kept.
        iou_thr: Pairs with at least this similarity are matched.
    """
    if match not in _SIMILARITIES:
        raise ValueError(f"match must be one of {sorted(_SIMILARITIES)}, got {match!r}")
    correct, decisions = 0, []
    for row in rows:
        kept = kept_boxes(row, score_thr).double()
        similarity = _SIMILARITIES[match](kept, row.target_boxes_xyxy.double())
        matches = count_matches(similarity, iou_thr)
        correct += matches == len(kept) == len(row.target_boxes_xyxy)
        decisions.append((row.no_target, len(kept) == 0))
    return {"Pr@(F1=1)": percent(correct, len(rows)), **existence_accuracy(decisions)}
