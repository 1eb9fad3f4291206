"""Referring and reasoning segmentation: one mask for one expression."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

from vgtoolbox.evaluation.functional.aggregate import mean_percent, percent, precision_at
from vgtoolbox.evaluation.functional.rows import MaskRow, group_rows
from vgtoolbox.utils.choices import check_choice

ResProtocol = Literal["refcoco", "lisa", "mllmseg"]
EmptyUnion = Literal["zero", "one"]
Queries = Literal["first", "all"]

RES_THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)

# Constants that LISA's meters add to denominators.
_IOU_EPS = 1e-5
_UNION_EPS = 1e-10
_COUNT_EPS = 1e-5


def res_metrics(
    rows: Sequence[MaskRow],
    *,
    protocol: ResProtocol = "refcoco",
    empty_union: EmptyUnion | None = None,
    thresholds: Sequence[float] = RES_THRESHOLDS,
) -> dict[str, float]:
    """Return the mask agreement in percent, over expressions.

    Args:
        rows: One row per expression; with "mllmseg" their `group` is the image.
        protocol: "refcoco" (LAVT, ReLA, mmdet, InstanceVG): `mIoU`, `oIoU` = sum I / sum U and
            `Pr@X` over the expressions that name something.
            "lisa" (LISA, READ, GSVA, UGround; ReasonSeg): `gIoU` = mean I / U over all expressions,
            and `cIoU` = sum I / sum U.
            "mllmseg": as "lisa", but `gIoU` is the mean over images of the mean over an image's
            expressions.
        empty_union: IoU of a sample whose prediction and target are both empty. If `None`, it is
            set by the protocol: "zero" with "refcoco", "one" with the others.
        thresholds: Values X of `Pr@X`.
    """
    check_choice("protocol", protocol, get_args(ResProtocol))
    if empty_union is not None:
        check_empty_union(empty_union)
    if protocol == "lisa":
        return _lisa(rows, empty_union or "one")
    if protocol == "mllmseg":
        return _mllmseg(rows, empty_union or "one")
    targets = [row for row in rows if not row.no_target]
    empty = float(empty_union == "one")
    ious = [row.iou if row.union else empty for row in targets]
    return {
        "mIoU": mean_percent(ious),
        "oIoU": overall_iou(targets),
        **precision_at(ious, thresholds),
    }


def reasonseg_metrics(
    rows: Sequence[MaskRow],
    *,
    queries: Queries = "first",
    empty_union: EmptyUnion = "one",
) -> dict[str, float]:
    """Return ReasonSeg's `gIoU` and `cIoU` in percent (Lai et al., LISA, CVPR 2024).

    Args:
        rows: Rows in the order of the annotation; their `group` is the image.
        queries: Queries that count: the "first" of each image, as in the published evaluation, or
            "all".
        empty_union: IoU of a sample whose prediction and target are both empty.
    """
    check_choice("queries", queries, get_args(Queries))
    chosen = rows if queries == "all" else [same[0] for same in group_rows(rows).values()]
    return res_metrics(chosen, protocol="lisa", empty_union=empty_union)


def overall_iou(rows: Sequence[MaskRow]) -> float:
    """Return 100 * sum I / sum U (large masks weigh more), or 0 if all masks are empty."""
    return percent(sum(row.intersection for row in rows), sum(row.union for row in rows))


def lisa_iou(intersection: int, union: int, empty_union: EmptyUnion) -> float:
    """Return I / U with the small constant that LISA's meters add to U."""
    return intersection / (union + _IOU_EPS) if union else float(empty_union == "one")


def lisa_ciou(pairs: Sequence[tuple[int, int]]) -> float:
    """Return `cIoU` of (I, U) pairs, in percent, with LISA's small constant."""
    return percent(sum(i for i, _ in pairs), sum(u for _, u in pairs) + _UNION_EPS)


def lisa_mean(terms: Sequence[float], count: float | None = None) -> float:
    """Return the sum of terms over their number (or `count`), in percent, with LISA's constant."""
    return percent(math.fsum(terms), (len(terms) if count is None else count) + _COUNT_EPS)


def check_empty_union(empty_union: str) -> None:
    """Raise `ValueError` unless `empty_union` is one of the conventions in `EmptyUnion`."""
    check_choice("empty_union", empty_union, get_args(EmptyUnion))


def _lisa(rows: Sequence[MaskRow], empty_union: EmptyUnion) -> dict[str, float]:
    terms = [lisa_iou(row.intersection, row.union, empty_union) for row in rows]
    return {"gIoU": lisa_mean(terms), "cIoU": lisa_ciou([(r.intersection, r.union) for r in rows])}


def _mllmseg(rows: Sequence[MaskRow], empty_union: EmptyUnion) -> dict[str, float]:
    means = []
    for same_image in group_rows(rows).values():
        terms = [lisa_iou(row.intersection, row.union, empty_union) for row in same_image]
        means.append(math.fsum(terms) / len(terms))
    return {"gIoU": lisa_mean(means), "cIoU": lisa_ciou([(r.intersection, r.union) for r in rows])}
