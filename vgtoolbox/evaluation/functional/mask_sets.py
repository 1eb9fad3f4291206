"""MUSE, several masks for one question (Ren et al., PixelLM, CVPR 2024; UGround)."""

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

MaskSetUnit = Literal["image", "question"]


def mask_set_metrics(
    rows: Sequence[MaskSetRow],
    *,
    unit: MaskSetUnit = "image",
    empty_union: EmptyUnion = "one",
) -> dict[str, float]:
    """Return `gIoU` and `cIoU` in percent, over pairs of masks.

    Of n predictions and m targets, min(n, m) are paired and the others stand beside an empty mask,
    with IoU 0; gIoU divides by max(n, m).

    Args:
        rows: One a question.
        unit: Where n and m are counted: in the whole "image", as published, where a mask too many
            for one question makes up for one too few for another, or in each "question".
        empty_union: What a pair counts where both masks are empty.
    """
    if unit not in get_args(MaskSetUnit):
        raise ValueError(f"unit must be 'image' or 'question', got {unit!r}")
    check_empty_union(empty_union)
    units = [[row] for row in rows] if unit == "question" else list(group_rows(rows).values())
    count = sum(
        max(sum(row.predictions for row in each), sum(row.targets for row in each))
        for each in units
    )
    pairs = [pair for row in rows for pair in row.pairs]
    terms = [lisa_iou(intersection, union, empty_union) for intersection, union in pairs]
    return {"gIoU": lisa_mean(terms, count), "cIoU": lisa_ciou(pairs)}
