"""Generalized RES: a mask of zero, one or many targets (Liu et al., ReLA, CVPR 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from vgtoolbox.evaluation.functional.acceptance import (
    Accept,
    accepts,
    check_accept,
)
from vgtoolbox.evaluation.functional.aggregate import (
    existence_accuracy,
    mean_percent,
    percent,
    precision_at,
)
from vgtoolbox.evaluation.functional.res import lisa_ciou, lisa_mean
from vgtoolbox.evaluation.functional.rows import MaskRow
from vgtoolbox.structures import PUBLISHED_SCORE_THR
from vgtoolbox.utils.choices import check_choice

GresProtocol = Literal["rela", "gsva"]

GRES_THRESHOLDS = (0.7, 0.8, 0.9)


def gres_metrics(
    rows: Sequence[MaskRow],
    *,
    protocol: GresProtocol = "rela",
    accept: Accept = "decision",
    score_thr: float = PUBLISHED_SCORE_THR,
    thresholds: Sequence[float] = GRES_THRESHOLDS,
    count_false_area: bool = True,
) -> dict[str, float]:
    """Return `gIoU`, `cIoU`, `N-acc`, `T-acc` (and with "rela" `Pr@X`) in percent.

    The protocols agree on a no-target sample: if rejected, it adds 1 to the mean of gIoU and
    nothing to cIoU; otherwise it adds 0 and its predicted area to the union. They differ on a
    target that was rejected by mistake.

    Args:
        rows: Rows of all samples of a split.
        protocol: "rela" (gRefCOCO's own; ReLA, InstanceVG): a rejected target has I = 0, and the
            union still contains the rejected mask. "gsva" (GSVA, UGround, MLLMSeg): the mask is
            credited in spite of the rejection, and a sample is no-target if its target mask is
            empty.
        accept: Rule by which a prediction is not a rejection, see `accepts`.
        score_thr: Score threshold of `accept="score"`.
        thresholds: Values X of `Pr@X`, over target samples.
        count_false_area: Whether a mask on a no-target sample that was not rejected enlarges the
            union of cIoU. `False` is valid with "gsva" only, whose code counts it on gRefCOCO but
            not on Ref-ZOM.

    Raises:
        ValueError: An option has none of its values, or `count_false_area=False` with "rela".
    """
    check_choice("protocol", protocol, get_args(GresProtocol))
    check_accept(accept)
    if protocol == "rela" and not count_false_area:
        raise ValueError(
            "count_false_area must be True with protocol='rela', got False; it is a variant of "
            "protocol='gsva' only"
        )
    decided = [
        replace(row, pred_no_target=not accepts(row, accept, score_thr=score_thr)) for row in rows
    ]
    return _rela(decided, thresholds) if protocol == "rela" else _gsva(decided, count_false_area)


def _rela(rows: Sequence[MaskRow], thresholds: Sequence[float]) -> dict[str, float]:
    targets = [row for row in rows if not row.no_target]
    ious = [0.0 if row.pred_no_target else row.iou for row in targets]
    credits = [float(row.pred_no_target) for row in rows if row.no_target]
    intersection = sum(row.intersection for row in targets if not row.pred_no_target)
    union = sum(row.union for row in rows if not (row.no_target and row.pred_no_target))
    return {
        "gIoU": mean_percent(ious + credits),
        "cIoU": percent(intersection, union),
        **existence_accuracy((row.no_target, row.pred_no_target) for row in rows),
        **precision_at(ious, thresholds),
    }


def _gsva(rows: Sequence[MaskRow], count_false_area: bool) -> dict[str, float]:
    """Aggregate with the small constants that GSVA's meters add to denominators."""
    targets = [row for row in rows if row.target_area]
    empty = [row for row in rows if not row.target_area]
    terms = [row.intersection / (row.union + 1e-8) for row in targets]
    terms += [float(row.pred_no_target) for row in empty]
    pairs = [(row.intersection, row.union) for row in targets]
    if count_false_area:
        pairs += [(0, row.union) for row in empty if not row.pred_no_target]
    return {
        "gIoU": lisa_mean(terms),
        "cIoU": lisa_ciou(pairs),
        **existence_accuracy((not row.target_area, row.pred_no_target) for row in rows),
    }
