"""What one (image, expression) pair contributes to a metric."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from vgtoolbox.structures import RLE, check_rle_size, merge_rles, rle_areas


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


def compare_masks(
    pred: RLE,
    target: RLE,
    *,
    no_target: bool = False,
    pred_no_target: bool = False,
    ignore: RLE | None = None,
) -> MaskRow:
    """Count the pixels of two masks of one size, without decoding them.

    Args:
        pred: The merged prediction.
        target: The union of the targets; empty for a no-target expression.
        no_target: What the annotation says.
        pred_no_target: What the model decided.
        ignore: Pixels left out of every count (ReasonSeg's label 255).

    Raises:
        ValueError: The masks differ in size, so they stand in different frames.
    """
    height, width = target["size"]
    size = (height, width)
    for mask in (pred, target) if ignore is None else (pred, target, ignore):
        check_rle_size(mask, size)
    return MaskRow(
        intersection=_common_pixels([pred, target], size, ignore),
        pred_area=_common_pixels([pred], size, ignore),
        target_area=_common_pixels([target], size, ignore),
        no_target=no_target,
        pred_no_target=pred_no_target,
    )


def _common_pixels(masks: list[RLE], size: tuple[int, int], ignore: RLE | None) -> int:
    """Count the pixels that all of `masks` share and that `ignore` does not cover."""
    shared = merge_rles(masks, size, intersect=True)
    if ignore is None:
        return int(rle_areas([shared])[0])
    ignored = merge_rles([shared, ignore], size, intersect=True)
    total, left_out = rle_areas([shared, ignored])
    return int(total - left_out)
