"""What one (image, expression) pair contributes to a metric."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

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

MaskBox = Literal["coco", "pixel_index"]


@dataclass(frozen=True, kw_only=True)
class MaskRow:
    """How one merged mask agrees with the union of its targets, in exact pixel counts."""

    intersection: int
    pred_area: int
    target_area: int
    no_target: bool = False
    """The annotation says that the expression names nothing."""
    pred_no_target: bool = False
    """The model decided so. Its mask may hold pixels all the same, and protocols count them."""
    top_score: float | None = None
    """Highest instance score, 0 where no instance is predicted; None of systems without them."""
    group: Hashable = None
    """The image or the ref of the expression, where a metric averages over those."""

    def __post_init__(self) -> None:
        if not 0 <= self.intersection <= min(self.pred_area, self.target_area):
            raise ValueError(f"the intersection is larger than a mask: {self}")

    @property
    def union(self) -> int:
        """Pixels in either mask."""
        return self.pred_area + self.target_area - self.intersection

    @property
    def iou(self) -> float:
        """Intersection over union, 0 where both masks are empty."""
        return self.intersection / self.union if self.union else 0.0


@dataclass(frozen=True, kw_only=True)
class RoundRow(MaskRow):
    """A mask of one round of a conversation."""

    round: int
    """Position in the conversation, from 0."""
    box_iou: float
    """IoU of the predicted box with the tight box of the target mask."""


@dataclass(frozen=True, kw_only=True)
class MaskSetRow:
    """The masks that answer one question, paired with those that it asks for."""

    pairs: tuple[tuple[int, int], ...]
    """(intersection, union) of each pair; what is left over stands beside an empty mask."""
    predictions: int
    targets: int
    group: Hashable = None
    """The image that the question is about."""


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxRow:
    """Predicted boxes of one expression beside its target boxes, all in one frame."""

    boxes_xyxy: Tensor
    """(Q, 4)."""
    scores: Tensor
    """(Q,)."""
    target_boxes_xyxy: Tensor
    """(N, 4); N = 0: the expression names nothing."""

    @property
    def no_target(self) -> bool:
        """The annotation says that the expression names nothing."""
        return len(self.target_boxes_xyxy) == 0


GroupedRow = TypeVar("GroupedRow", MaskRow, MaskSetRow)


def group_rows(rows: Iterable[GroupedRow]) -> dict[Hashable, list[GroupedRow]]:
    """Return the rows of each `group`, both in the order in which they come.

    Raises:
        ValueError: A row has no group.
    """
    groups: dict[Hashable, list[GroupedRow]] = {}
    for row in rows:
        if row.group is None:
            raise ValueError(f"an average over groups needs the `group` of each row: {row}")
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
    """Count the pixels of two masks of one size, without decoding them.

    Args:
        pred: The merged prediction.
        target: The union of the targets; empty for a no-target expression.
        no_target: What the annotation says.
        pred_no_target: What the model decided.
        ignore: Pixels left out of every count (ReasonSeg's label 255).
        top_score: Highest instance score.
        group: The image or the ref.

    Raises:
        ValueError: The masks differ in size, so they stand in different frames.
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
    """Pair predicted masks with targets so that the IoUs add up to the most.

    PixelLM and UGround match on the cost of random points, which changes from run to run; the IoU
    of whole masks is what those costs stand for.

    Args:
        preds: Masks of one size.
        targets: Masks of the same size.
        group: The image.
    """
    rows, columns = linear_sum_assignment(rle_iou(preds, targets), maximize=True)
    matched = [compare_masks(preds[i], targets[j]) for i, j in zip(rows, columns, strict=True)]
    left_over = [preds[i] for i in sorted(set(range(len(preds))) - set(rows.tolist()))]
    left_over += [targets[j] for j in sorted(set(range(len(targets))) - set(columns.tolist()))]
    return MaskSetRow(
        pairs=(
            *((row.intersection, row.union) for row in matched),
            *((0, area) for area in rle_areas(left_over).tolist()),
        ),
        predictions=len(preds),
        targets=len(targets),
        group=group,
    )


def mask_box_row(pred: RLE, target_boxes_xyxy: Tensor, *, mask_box: MaskBox = "coco") -> BoxRow:
    """Read the predicted box off a mask; an empty mask gives a box without extent, a miss.

    Args:
        pred: The merged prediction.
        target_boxes_xyxy: (N, 4).
        mask_box: "coco": right and lower edges enclose the last pixel, as annotated boxes do;
            "pixel_index": they are the last pixel's index (MLLMSeg), one pixel short.
    """
    if mask_box not in ("coco", "pixel_index"):
        raise ValueError(f"mask_box must be 'coco' or 'pixel_index', got {mask_box!r}")
    box = rle_boxes_xyxy([pred])
    if mask_box == "pixel_index" and box.any():
        box[:, 2:] -= 1
    return BoxRow(boxes_xyxy=box, scores=torch.ones(1), target_boxes_xyxy=target_boxes_xyxy)
