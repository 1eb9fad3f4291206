"""Per-sample rows: the contribution of one (image, expression) pair to a metric."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from vgtoolbox.structures import (
    RLE,
    check_rle_size,
    merge_rles,
    rle_areas,
    rle_boxes_xyxy,
    rle_iou,
)
from vgtoolbox.utils.choices import check_choice

MaskBox = Literal["coco", "pixel_index"]


@dataclass(frozen=True, kw_only=True)
class MaskRow:
    """Agreement of a merged mask with the union of its targets, in exact pixel counts."""

    intersection: int
    pred_area: int
    target_area: int
    no_target: bool = False
    """Whether the expression names nothing according to the annotation."""
    pred_no_target: bool = False
    """Whether the model decided so. Its mask may still contain pixels, and protocols count them."""
    top_score: float | None = None
    """Highest instance score, 0 if no instance is predicted; `None` for systems without them."""
    group: Hashable = None
    """Image or ref of the expression, for metrics that average over those."""

    def __post_init__(self) -> None:
        if not 0 <= self.intersection <= min(self.pred_area, self.target_area):
            raise ValueError(f"intersection must be 0 to the area of the smaller mask, got {self}")

    @property
    def union(self) -> int:
        """Pixels in either mask."""
        return self.pred_area + self.target_area - self.intersection

    @property
    def iou(self) -> float:
        """Intersection over union, or 0 if both masks are empty."""
        return self.intersection / self.union if self.union else 0.0


@dataclass(frozen=True, kw_only=True)
class RoundRow(MaskRow):
    """Row of a mask of one round of a conversation."""

    round: int
    """Position in the conversation, from 0."""
    box_iou: float
    """IoU of the predicted box with the tight box of the target mask."""


@dataclass(frozen=True, kw_only=True)
class MaskSetRow:
    """Predicted masks of one question, paired with its targets."""

    pairs: tuple[tuple[int, int], ...]
    """(intersection, union) of each pair; surplus masks are paired with an empty mask."""
    predictions: int
    targets: int
    group: Hashable = None
    """Image of the question."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxRow:
    """Predicted boxes and target boxes of one expression, all in one frame."""

    boxes_xyxy: Tensor
    """(Q, 4)."""
    scores: Tensor
    """(Q,)."""
    target_boxes_xyxy: Tensor
    """(N, 4); N = 0 if the expression names nothing."""

    @property
    def no_target(self) -> bool:
        """Whether the expression names nothing according to the annotation."""
        return len(self.target_boxes_xyxy) == 0


GroupedRow = TypeVar("GroupedRow", MaskRow, MaskSetRow)


def group_rows(rows: Iterable[GroupedRow]) -> dict[Hashable, list[GroupedRow]]:
    """Return the rows by `group`; groups and their rows keep the order of `rows`.

    Raises:
        ValueError: A row has no group.
    """
    groups: dict[Hashable, list[GroupedRow]] = {}
    for row in rows:
        if row.group is None:
            raise ValueError(f"group must be set for an average over groups, got {row}")
        groups.setdefault(row.group, []).append(row)
    return groups


def compare_masks(
    pred: RLE,
    target: RLE,
    *,
    no_target: bool = False,
    pred_no_target: bool = False,
    ignore: RLE | None = None,
    top_score: float | None = None,
    group: Hashable = None,
) -> MaskRow:
    """Count the pixels of two masks of the same size, without decoding them.

    Args:
        pred: Merged prediction.
        target: Union of the targets; empty for a no-target expression.
        no_target: Whether the expression names nothing according to the annotation.
        pred_no_target: Whether the model decided so.
        ignore: Pixels to exclude from every count (ReasonSeg's label 255). If `None`, all pixels
            count.
        top_score: Highest instance score; `None` for systems without instances.
        group: Image or ref of the expression, for metrics that average over those.

    Raises:
        ValueError: The masks differ in size, so they are in different frames.
    """
    height, width = target["size"]
    size = (height, width)
    for mask in (pred, target) if ignore is None else (pred, target, ignore):
        check_rle_size(mask, size)
    masks = [merge_rles([pred, target], size, intersect=True), pred, target]
    areas = rle_areas(masks)
    if ignore is not None:
        areas -= rle_areas([merge_rles([mask, ignore], size, intersect=True) for mask in masks])
    intersection, pred_area, target_area = areas.tolist()
    return MaskRow(
        intersection=intersection,
        pred_area=pred_area,
        target_area=target_area,
        no_target=no_target,
        pred_no_target=pred_no_target,
        top_score=top_score,
        group=group,
    )


def pair_masks(
    preds: Sequence[RLE], targets: Sequence[RLE], *, group: Hashable = None
) -> MaskSetRow:
    """Pair predicted masks with targets such that the sum of IoUs is largest.

    PixelLM and UGround match on the cost of random points, which changes from run to run; those
    costs approximate the IoU of whole masks, which is used here.

    Args:
        preds: Predicted masks, all of one size.
        targets: Target masks of the same size.
        group: Image of the question.
    """
    rows, columns = linear_sum_assignment(rle_iou(preds, targets), maximize=True)
    matched = [compare_masks(preds[i], targets[j]) for i, j in zip(rows, columns, strict=True)]
    unpaired = [preds[i] for i in sorted(set(range(len(preds))) - set(rows.tolist()))]
    unpaired += [targets[j] for j in sorted(set(range(len(targets))) - set(columns.tolist()))]
    return MaskSetRow(
        pairs=(
            *((row.intersection, row.union) for row in matched),
            *((0, area) for area in rle_areas(unpaired).tolist()),
        ),
        predictions=len(preds),
        targets=len(targets),
        group=group,
    )


def mask_box_row(pred: RLE, target_boxes_xyxy: Tensor, *, mask_box: MaskBox = "coco") -> BoxRow:
    """Make a row from the extent of a mask; an empty mask gives a box without area, a miss.

    Args:
        pred: Merged prediction.
        target_boxes_xyxy: Target boxes (N, 4).
        mask_box: "coco": right and lower edges enclose the last pixel, as annotated boxes do;
            "pixel_index": they are the last pixel's index (MLLMSeg), one pixel short.
    """
    check_choice("mask_box", mask_box, get_args(MaskBox))
    box = rle_boxes_xyxy([pred])
    if mask_box == "pixel_index" and box.any():
        box[:, 2:] -= 1
    return BoxRow(boxes_xyxy=box, scores=torch.ones(1), target_boxes_xyxy=target_boxes_xyxy)
