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

    `See` is the share of expressions, true or false, where the model rightly says whether the
    premise holds. It says that it does where it accepts *and* its mask holds a pixel; otherwise its
    mask counts as empty. A mask for a false premise enlarges the union of `cIoU`.

    Args:
        rows: All samples of a split; those with a false premise have `no_target`.
        accept: What makes an answer; of a language model, that it wrote a [SEG].
        score_thr: Of `accept="score"`.
    """
    check_accept(accept)
    answers = [_answer(row, accepts(row, accept, score_thr=score_thr)) for row in rows]
    seen = sum(row.no_target == row.pred_no_target for row in answers)
    return {
        "cIoU": lisa_ciou([(row.intersection, row.union) for row in answers]),
        "See": percent(seen, len(answers)),
        **existence_accuracy((row.no_target, row.pred_no_target) for row in answers),
    }


def _answer(row: MaskRow, accepted: bool) -> MaskRow:
    """Return the row as the benchmark sees it: a mask and a claim, or neither."""
    if accepted and row.pred_area:
        return replace(row, pred_no_target=False)
    return replace(row, pred_no_target=True, pred_area=0, intersection=0)
