"""Generalized REC: zero, one or many boxes for one expression (He et al., GREC, 2023)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from torch import Tensor

from vgtoolbox.evaluation.functional.aggregate import existence_accuracy, percent
from vgtoolbox.evaluation.functional.rows import BoxRow
from vgtoolbox.structures import PUBLISHED_SCORE_THR, box_iou, generalized_box_iou
from vgtoolbox.utils.choices import check_choice

BoxMatch = Literal["giou", "iou"]

_SIMILARITIES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "giou": generalized_box_iou,
    "iou": box_iou,
}


class GrecCounts(NamedTuple):
    """Numbers of kept boxes, targets and matched pairs of one sample."""

    kept: int
    targets: int
    matches: int

    @property
    def f1(self) -> float:
        """F1 = 2 TP / (2 TP + FP + FN); 1 if there are neither kept boxes nor targets."""
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
        similarity: Similarities (K, N) of K predictions and N targets.
        threshold: Least similarity of a pair.

    Returns:
        (row, column) of each pair, in order of decreasing similarity.
    """
    remaining = similarity.clone()
    pairs: list[tuple[int, int]] = []
    for _ in range(min(remaining.shape)):
        row, column = divmod(int(remaining.argmax()), remaining.shape[1])
        if remaining[row, column] < threshold:
            break
        remaining[row] = remaining[:, column] = -float("inf")
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

    A sample is correct if its F1 is 1: every kept box is paired with a target and every target with
    a kept box. A no-target sample is correct if no box is kept.

    Args:
        rows: Rows of all samples of a split.
        match: Similarity that must reach `iou_thr`. The official evaluator compares the
            *generalized* IoU although the metric's name says IoU; mmdet's port compares the IoU.
        score_thr: Least score of a kept box.
        iou_thr: Least similarity of a matched pair.
    """
    check_choice("match", match, _SIMILARITIES)
    counts = [grec_counts(r, match=match, score_thr=score_thr, iou_thr=iou_thr) for r in rows]
    correct = sum(count.kept == count.targets == count.matches for count in counts)
    decisions = ((count.targets == 0, count.kept == 0) for count in counts)
    return {"Pr@(F1=1)": percent(correct, len(rows)), **existence_accuracy(decisions)}
