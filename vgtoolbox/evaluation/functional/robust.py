"""R-RefCOCO: an object's true expressions beside false ones (Wu et al., RefSegformer, TIP 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from vgtoolbox.evaluation.functional.aggregate import mean, mean_percent, percent, precision_at
from vgtoolbox.evaluation.functional.rejection import Rejection, is_rejected
from vgtoolbox.evaluation.functional.res import RES_THRESHOLDS, overall_iou
from vgtoolbox.evaluation.functional.rows import MaskRow

RobustPrecision = Literal["official", "sentence"]


def robust_metrics(
    refs: Sequence[Sequence[MaskRow]],
    *,
    rejection: Rejection = "mask",
    precision: RobustPrecision = "official",
    thresholds: Sequence[float] = RES_THRESHOLDS,
) -> dict[str, float]:
    """Return `mIoU`, `oIoU`, `mRR`, `rIoU` and `Pr@X` in percent.

    All but oIoU and Pr@X are means over refs of a value per ref. A ref without a negative sentence
    has no rejection rate and is left out of mRR (the published evaluator fails on it).

    Args:
        refs: The rows of each ref, in the order of the annotation; negative sentences are those
            with `no_target`.
        rejection: What makes a negative sentence correct; "mask" is the official rule, "decision"
            InstanceVG's.
        precision: The official `Pr@X` compares the *running sum* of a ref's IoUs with X, hence
            values that are too high and depend on the order; "sentence" compares each IoU.
        thresholds: The values X of `Pr@X`.
    """
    if precision not in ("official", "sentence"):
        raise ValueError(f"precision must be 'official' or 'sentence', got {precision!r}")
    mean_ious, rates, robust_ious = [], [], []
    compared: list[float] = []
    positives_of_all: list[MaskRow] = []
    for ref in refs:
        positives = [row for row in ref if not row.no_target]
        negatives = [row for row in ref if row.no_target]
        accepted = [row for row in negatives if not is_rejected(row, rejection)]
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
