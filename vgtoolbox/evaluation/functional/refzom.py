"""Ref-ZOM: one, many or zero targets (Hu et al., DMMI, ICCV 2023)."""

from __future__ import annotations

from collections.abc import Sequence

from vgtoolbox.evaluation.functional.acceptance import (
    Accept,
    accepts,
    check_accept,
)
from vgtoolbox.evaluation.functional.aggregate import percent
from vgtoolbox.evaluation.functional.res import RES_THRESHOLDS, res_metrics
from vgtoolbox.evaluation.functional.rows import MaskRow
from vgtoolbox.structures import PUBLISHED_SCORE_THR


def refzom_metrics(
    rows: Sequence[MaskRow],
    *,
    accept: Accept = "mask",
    score_thr: float = PUBLISHED_SCORE_THR,
    thresholds: Sequence[float] = RES_THRESHOLDS,
) -> dict[str, float]:
    """Return `mIoU`, `oIoU`, `Pr@X` over target expressions and `Acc` over the others, in percent.

    Args:
        rows: Rows of all samples of a split. The mask of a rejected target counts unchanged.
        accept: Rule by which a no-target sample is wrong, see `accepts`; "mask" is DMMI's, "score"
            InstanceVG's.
        score_thr: Score threshold of `accept="score"`.
        thresholds: Values X of `Pr@X`.
    """
    check_accept(accept)
    negatives = [row for row in rows if row.no_target]
    rejected = sum(not accepts(row, accept, score_thr=score_thr) for row in negatives)
    return {**res_metrics(rows, thresholds=thresholds), "Acc": percent(rejected, len(negatives))}
