"""MUSE: several masks for one question (Ren et al., PixelLM, CVPR 2024; UGround)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from vgtoolbox.evaluation.functional.res import (
    EmptyUnion,
    check_empty_union,
    lisa_ciou,
    lisa_iou,
    lisa_mean,
)
from vgtoolbox.evaluation.functional.rows import MaskSetRow, group_rows
from vgtoolbox.utils.choices import check_choice

MaskSetUnit = Literal["image", "question"]


def mask_set_metrics(
    rows: Sequence[MaskSetRow],
    *,
    unit: MaskSetUnit = "image",
    empty_union: EmptyUnion = "one",
) -> dict[str, float]:
    """Return `gIoU` and `cIoU` in percent, over pairs of masks.

    From n predictions and m targets, min(n, m) pairs are formed. The remaining masks are paired
    with an empty mask and have IoU 0; gIoU divides by max(n, m).

    Args:
        rows: One row per question.
        unit: Unit in which n and m are counted: the whole "image", as published, in which a surplus
            mask of one question offsets a missing mask of another, or each "question".
        empty_union: IoU of a pair of two empty masks.
    """
    check_choice("unit", unit, get_args(MaskSetUnit))
    check_empty_union(empty_union)
    units = [[row] for row in rows] if unit == "question" else list(group_rows(rows).values())
    count = sum(
        max(sum(row.predictions for row in each), sum(row.targets for row in each))
        for each in units
    )
    pairs = [pair for row in rows for pair in row.pairs]
    terms = [lisa_iou(intersection, union, empty_union) for intersection, union in pairs]
    return {"gIoU": lisa_mean(terms, count), "cIoU": lisa_ciou(pairs)}
