"""FP-RefCOCO: expressions whose premise may be false (Wu et al., SESAME, CVPR 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vgtoolbox.evaluation.functional.acceptance import (
    Accept,
    accepts,
    check_accept,
)
from vgtoolbox.evaluation.functional.aggregate import existence_accuracy, percent
from vgtoolbox.evaluation.functional.res import lisa_ciou
from vgtoolbox.evaluation.functional.rows import MaskRow
from vgtoolbox.structures import PUBLISHED_SCORE_THR


def false_premise_metrics(
    rows: Sequence[MaskRow],
    *,
    accept: Accept = "decision",
    score_thr: float = PUBLISHED_SCORE_THR,
) -> dict[str, float]:
    """Return `cIoU`, `See`, `N-acc` and `T-acc` in percent.

    `See` is the share of expressions, true or false, for which the model correctly decides whether
    the premise is true. It decides for true if it accepts *and* its mask contains a pixel;
    otherwise its mask counts as empty. A mask for a false premise enlarges the union of `cIoU`.

    Args:
        rows: Rows of all samples of a split; those with a false premise have `no_target`.
        accept: Rule by which a prediction claims a target, see `accepts`. For a language model,
            "decision" means that it wrote a [SEG].
        score_thr: Score threshold of `accept="score"`.
    """
    check_accept(accept)
    decided = [_apply_decision(row, accepts(row, accept, score_thr=score_thr)) for row in rows]
    correct = sum(row.no_target == row.pred_no_target for row in decided)
    return {
        "cIoU": lisa_ciou([(row.intersection, row.union) for row in decided]),
        "See": percent(correct, len(decided)),
        **existence_accuracy((row.no_target, row.pred_no_target) for row in decided),
    }


def _apply_decision(row: MaskRow, accepted: bool) -> MaskRow:
    """Return the row as the benchmark counts it: with a mask and a claim, or with neither."""
    if accepted and row.pred_area:
        return replace(row, pred_no_target=False)
    return replace(row, pred_no_target=True, pred_area=0, intersection=0)
