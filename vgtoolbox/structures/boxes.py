"""Boxes as plain tensors of shape (N, 4); the format and the frame stand in the variable's name.

`xyxy` are corner coordinates in pixels, `xywh` COCO's left, top, width, height in pixels, `cxcywh`
centre and size, normalised to 0..1 by the image. Every function takes N = 0.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torchvision import ops

BoxFormat = Literal["xyxy", "xywh", "cxcywh"]


def check_boxes_xyxy(boxes_xyxy: Tensor, *, name: str = "boxes_xyxy") -> None:
    """Check that a tensor is a valid set of corner boxes.

    Args:
        boxes_xyxy: (N, 4) floating point.
        name: What the error message calls them.

    Raises:
        ValueError: Wrong shape, dtype, a value that is not finite, or x2 < x1 or y2 < y1.
    """
    if boxes_xyxy.ndim != 2 or boxes_xyxy.shape[1] != 4:
        raise ValueError(f"{name} must have shape (N, 4), got {tuple(boxes_xyxy.shape)}")
    if not boxes_xyxy.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {boxes_xyxy.dtype}")
    broken = ~torch.isfinite(boxes_xyxy).all(1) | (boxes_xyxy[:, 2:] < boxes_xyxy[:, :2]).any(1)
    if broken.any():
        index = int(broken.nonzero()[0])
        raise ValueError(
            f"{name}[{index}] = {boxes_xyxy[index].tolist()} is not a box: "
            "expected finite x1 <= x2 and y1 <= y2"
        )


def convert_boxes(boxes: Tensor, source: BoxFormat, target: BoxFormat) -> Tensor:
    """Convert boxes (N, 4) between formats, without changing their frame or scale."""
    return ops.box_convert(boxes, source, target)


def normalize_boxes(boxes_xyxy: Tensor, size: tuple[int, int]) -> Tensor:
    """Turn pixel corners (N, 4) into `cxcywh` (N, 4) in 0..1 of an image of `size` (H, W)."""
    return convert_boxes(boxes_xyxy, "xyxy", "cxcywh") / _whwh(boxes_xyxy, size)


def denormalize_boxes(boxes_cxcywh: Tensor, size: tuple[int, int]) -> Tensor:
    """Turn normalised `cxcywh` (N, 4) into pixel corners (N, 4) of an image of `size` (H, W)."""
    return convert_boxes(boxes_cxcywh, "cxcywh", "xyxy") * _whwh(boxes_cxcywh, size)


def clip_boxes(boxes_xyxy: Tensor, size: tuple[int, int]) -> Tensor:
    """Clip corner boxes (N, 4) to an image of `size` (H, W)."""
    return ops.clip_boxes_to_image(boxes_xyxy, size)


def box_iou(boxes_a_xyxy: Tensor, boxes_b_xyxy: Tensor) -> Tensor:
    """Return the pairwise intersection over union, (N, M); 0 where both boxes have no area.

    Args:
        boxes_a_xyxy: (N, 4).
        boxes_b_xyxy: (M, 4), in the same frame.
    """
    return ops.box_iou(boxes_a_xyxy, boxes_b_xyxy).nan_to_num(0.0)


def generalized_box_iou(boxes_a_xyxy: Tensor, boxes_b_xyxy: Tensor) -> Tensor:
    """Return the pairwise generalised IoU (N, M) in -1..1 (Rezatofighi et al., CVPR 2019, eq. 3).

    Args:
        boxes_a_xyxy: (N, 4).
        boxes_b_xyxy: (M, 4), in the same frame.
    """
    return ops.generalized_box_iou(boxes_a_xyxy, boxes_b_xyxy).nan_to_num(0.0)


def _whwh(like: Tensor, size: tuple[int, int]) -> Tensor:
    """Return (W, H, W, H) on the device and in the dtype of `like`."""
    height, width = size
    return like.new_tensor([width, height, width, height])
