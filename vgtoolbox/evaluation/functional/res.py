"""Referring expression segmentation: one mask for one expression."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from vgtoolbox.evaluation.functional.aggregate import mean_percent, percent, precision_at
from vgtoolbox.evaluation.functional.rows import MaskRow

ResProtocol = Literal["refcoco", "lisa"]

RES_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)


def res_metrics(
    rows: Sequence[MaskRow],
    *,
    protocol: ResProtocol = "refcoco",
    thresholds: Sequence[float] = RES_THRESHOLDS,
) -> dict[str, float]:
    """Return the mask agreement in percent, over expressions.

    Args:
        rows: One an expression.
        protocol: "refcoco" (LAVT, ReLA, mmdet, InstanceVG): `mIoU`, `oIoU` = sum I / sum U and
            `Pr@X` over the expressions that name something; an empty union counts 0.
            "lisa" (LISA, READ, GSVA, UGround; ReasonSeg): `gIoU` = mean I / U over all expressions,
            where an empty union counts 1, and `cIoU` = sum I / sum U.
        thresholds: The values X of `Pr@X`.
    """
    if protocol == "lisa":
        return _lisa(rows)
    if protocol != "refcoco":
        raise ValueError(f"protocol must be 'refcoco' or 'lisa', got {protocol!r}")
    targets = [row for row in rows if not row.no_target]
    ious = [row.iou for row in targets]
    return {
        "mIoU": mean_percent(ious),
        "oIoU": overall_iou(targets),
        **precision_at(ious, thresholds),
    }


def overall_iou(rows: Sequence[MaskRow]) -> float:
    """Return 100 * sum I / sum U: large masks weigh more; 0 where all masks are empty."""
    return percent(sum(row.intersection for row in rows), sum(row.union for row in rows))


def _lisa(rows: Sequence[MaskRow]) -> dict[str, float]:
    """Return gIoU and cIoU with the small constants that LISA's meters add to denominators."""
    terms = [row.intersection / (row.union + 1e-5) if row.union else 1.0 for row in rows]
    intersection = sum(row.intersection for row in rows)
    union = sum(row.union for row in rows)
    return {
        "gIoU": percent(math.fsum(terms), len(rows) + 1e-5),
        "cIoU": percent(intersection, union + 1e-10),
    }
