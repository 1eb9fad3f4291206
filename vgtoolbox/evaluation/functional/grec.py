"""Generalised REC: zero, one or many boxes for one expression (He et al., GREC, 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from torch import Tensor

from vgtoolbox.evaluation.functional.aggregate import existence_accuracy, percent
from vgtoolbox.evaluation.functional.rows import BoxRow
from vgtoolbox.structures import PUBLISHED_SCORE_THR, box_iou, generalized_box_iou

BoxMatch = Literal["giou", "iou"]

_SIMILARITIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "giou": generalized_box_iou,
    "iou": box_iou,
}


class GrecCounts(NamedTuple):
    """How the kept boxes of one sample were paired with its targets."""

    kept: int
    targets: int
    matches: int

    @property
    def f1(self) -> float:
        """F1 = 2 TP / (2 TP + FP + FN); 1 where nothing is kept and nothing named."""
        total = self.kept + self.targets
        return 2 * self.matches / total if total else 1.0


def kept_boxes(row: BoxRow, score_thr: float) -> Tensor:
    """Return the boxes (K, 4) whose score reaches the threshold, inclusively.

    Scores are compared in double precision, as the published evaluator does: a float32 score of 0.7
    is 0.69999999 and does not reach 0.7.
    """
    return row.boxes_xyxy[row.scores.double() >= score_thr]


def greedy_pairs(similarity: Tensor, threshold: float) -> list[tuple[int, int]]:
    """Pair predictions with targets greedily, the most similar first.

    Args:
        similarity: (K, N).
        threshold: Pairs below it are none.

    Returns:
        (row, column) of each pair.
    """
    left = similarity.clone()
    pairs: list[tuple[int, int]] = []
    for _ in range(min(left.shape)):
        row, column = divmod(int(left.argmax()), left.shape[1])
        if left[row, column] < threshold:
            break
        left[row] = left[:, column] = -float("inf")
        pairs.append((row, column))
    return pairs


def grec_counts(
    row: BoxRow,
    *,
    match: BoxMatch = "giou",
    score_thr: float = PUBLISHED_SCORE_THR,
    iou_thr: float = 0.5,
) -> GrecCounts:
    """Count the kept boxes, the targets and their pairs; arguments as in `grec_metrics`."""
    kept = kept_boxes(row, score_thr).double()
    similarity = _SIMILARITIES[match](kept, row.target_boxes_xyxy.double())
    return GrecCounts(len(kept), similarity.shape[1], len(greedy_pairs(similarity, iou_thr)))


def grec_metrics(
    rows: Sequence[BoxRow],
    *,
    match: BoxMatch = "giou",
    score_thr: float = PUBLISHED_SCORE_THR,
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
    counts = [grec_counts(r, match=match, score_thr=score_thr, iou_thr=iou_thr) for r in rows]
    correct = sum(count.kept == count.targets == count.matches for count in counts)
    decisions = ((count.targets == 0, count.kept == 0) for count in counts)
    return {"Pr@(F1=1)": percent(correct, len(rows)), **existence_accuracy(decisions)}
