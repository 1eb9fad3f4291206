"""R-RefCOCO: true and false expressions of an object (Wu et al., RefSegformer, TIP 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal, get_args

from vgtoolbox.evaluation.functional.acceptance import (
    Accept,
    accepts,
    check_accept,
)
from vgtoolbox.evaluation.functional.aggregate import mean, mean_percent, percent, precision_at
from vgtoolbox.evaluation.functional.res import RES_THRESHOLDS, overall_iou
from vgtoolbox.evaluation.functional.rows import MaskRow
from vgtoolbox.structures import PUBLISHED_SCORE_THR
from vgtoolbox.utils.choices import check_choice

RobustPrecision = Literal["official", "sentence"]


def robust_metrics(
    refs: Sequence[Sequence[MaskRow]],
    *,
    accept: Accept = "mask",
    score_thr: float = PUBLISHED_SCORE_THR,
    precision: RobustPrecision = "official",
    thresholds: Sequence[float] = RES_THRESHOLDS,
) -> dict[str, float]:
    """Return `mIoU`, `oIoU`, `mRR`, `rIoU` and `Pr@X` in percent.

    All but oIoU and Pr@X are means over refs of a value per ref. A ref without a negative sentence
    has no rejection rate and is left out of mRR (the published evaluator fails on it).

    Args:
        refs: Rows of each ref, in the order of the annotation; negative sentences are those with
            `no_target`. The official code counts their areas in pixels of the network's input and
            everything else in pixels of the image: such rows contain the area of the resized mask.
        accept: Rule by which a negative sentence is wrong, see `accepts`; "mask" is the official
            rule, "score" InstanceVG's.
        score_thr: Score threshold of `accept="score"`.
        precision: Values that `Pr@X` compares with X. "official": the *running sum* of a ref's
            IoUs, which is too high and depends on the order; "sentence": each IoU.
        thresholds: Values X of `Pr@X`.
    """
    check_accept(accept)
    check_choice("precision", precision, get_args(RobustPrecision))
    mean_ious, rates, robust_ious = [], [], []
    compared: list[float] = []
    positives_of_all: list[MaskRow] = []
    for ref in refs:
        positives = [row for row in ref if not row.no_target]
        negatives = [row for row in ref if row.no_target]
        accepted = [row for row in negatives if accepts(row, accept, score_thr=score_thr)]
        ious = [row.iou for row in positives]
        if negatives:
            rates.append(percent(len(negatives) - len(accepted), len(negatives)))
        if positives:
            mean_ious.append(mean_percent(ious))
            robust_ious.append(overall_iou([*positives, *accepted]))
        compared += accumulate(ious) if precision == "official" else ious
        positives_of_all += positives
    return {
        "mIoU": mean(mean_ious),
        "oIoU": overall_iou(positives_of_all),
        "mRR": mean(rates),
        "rIoU": mean(robust_ious),
        **precision_at(compared, thresholds),
    }
