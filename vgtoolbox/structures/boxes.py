"""Boxes as plain tensors of shape (N, 4), with their format and frame in the variable's name.

`xyxy` is corner coordinates in pixels; `xywh` is COCO's left, top, width and height in pixels;
`cxcywh` is center and size, normalized to [0, 1] by the size of the image. All functions accept
N = 0.
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
        boxes_xyxy: Boxes (N, 4), floating point.
        name: Name of the boxes in the error message.

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
            f"{name}[{index}] must be a box with finite x1 <= x2 and y1 <= y2, got "
            f"{boxes_xyxy[index].tolist()}"
        )


def convert_boxes(boxes: Tensor, source: BoxFormat, target: BoxFormat) -> Tensor:
    """Convert boxes (N, 4) between formats, without changing their frame or scale.

    Args:
        boxes: Boxes (N, 4).
        source: Format of `boxes`.
        target: Format of the result, (N, 4).
    """
    return ops.box_convert(boxes, source, target)


def normalize_boxes(boxes_xyxy: Tensor, size: tuple[int, int]) -> Tensor:
    """Convert corners in pixels to center and size in [0, 1].

    Args:
        boxes_xyxy: Boxes (N, 4) in pixels.
        size: Height and width (H, W) of the image.

    Returns:
        Normalized `cxcywh` boxes (N, 4).
    """
    return convert_boxes(boxes_xyxy, "xyxy", "cxcywh") / _whwh(boxes_xyxy, size)


def denormalize_boxes(boxes_cxcywh: Tensor, size: tuple[int, int]) -> Tensor:
    """Convert center and size in [0, 1] to corners in pixels.

    Args:
        boxes_cxcywh: Normalized boxes (N, 4).
        size: Height and width (H, W) of the image.

    Returns:
        `xyxy` boxes (N, 4) in pixels.
    """
    return convert_boxes(boxes_cxcywh, "cxcywh", "xyxy") * _whwh(boxes_cxcywh, size)


def clip_boxes(boxes_xyxy: Tensor, size: tuple[int, int]) -> Tensor:
    """Clip boxes to an image.

    Args:
        boxes_xyxy: Boxes (N, 4) in pixels.
        size: Height and width (H, W) of the image.

    Returns:
        Clipped boxes (N, 4).
    """
    return ops.clip_boxes_to_image(boxes_xyxy, size)


def box_iou(boxes_a_xyxy: Tensor, boxes_b_xyxy: Tensor) -> Tensor:
    """Return the pairwise intersection over union, (N, M); 0 if both boxes have no area.

    Args:
        boxes_a_xyxy: Boxes (N, 4).
        boxes_b_xyxy: Boxes (M, 4) in the same frame.
    """
    return ops.box_iou(boxes_a_xyxy, boxes_b_xyxy).nan_to_num(0.0)


def generalized_box_iou(boxes_a_xyxy: Tensor, boxes_b_xyxy: Tensor) -> Tensor:
    """Return the pairwise generalized IoU (N, M) in [-1, 1] (Rezatofighi et al., CVPR 2019, eq. 3).

    Args:
        boxes_a_xyxy: Boxes (N, 4).
        boxes_b_xyxy: Boxes (M, 4) in the same frame.
    """
    return ops.generalized_box_iou(boxes_a_xyxy, boxes_b_xyxy).nan_to_num(0.0)


def _whwh(like: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the size (H, W) as (W, H, W, H), in the dtype and on the device of `like`."""
    height, width = size
    return like.new_tensor([width, height, width, height])
