"""Map boxes and masks from the network's input frame to the original image.

A network input is the original image scaled by (sx, sy), shifted by an offset if it was cropped at
the left or top, and padded at the right and bottom. Stretching to a square, letterboxing, resizing
and cropping all have this form.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from vgtoolbox.structures.boxes import clip_boxes
from vgtoolbox.structures.masks import MaskResize, resize_mask_logits, resize_masks

Frame = Literal["original", "input"]
"""Pixels of the image as stored, or of the network's input without its padding."""

# Finite, since bilinear resizing may multiply it by 0, which would turn an infinite logit into NaN.
_BACKGROUND_LOGIT = -100.0


def boxes_to_original(
    boxes_xyxy: Tensor,
    scale_factor: tuple[float, float],
    ori_shape: tuple[int, int],
    *,
    offset: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """Map boxes from input pixels to original pixels and clip them to the image.

    Args:
        boxes_xyxy: Boxes (N, 4) in the input frame.
        scale_factor: Factors (x, y): input coordinate = original coordinate * factor + offset.
        ori_shape: Height and width (H, W) of the original image.
        offset: Position (x, y) of the top left corner of the original image in the input.

    Returns:
        Boxes (N, 4) in the original frame.
    """
    scale, shift = (boxes_xyxy.new_tensor((*pair, *pair)) for pair in (scale_factor, offset))
    return clip_boxes((boxes_xyxy - shift) / scale, ori_shape)


def mask_logits_to_original(
    mask_logits: Tensor,
    *,
    threshold: float,
    img_shape: tuple[int, int],
    ori_shape: tuple[int, int],
    resize: MaskResize,
    scale_factor: tuple[float, float] | None = None,
    offset: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """Convert mask logits at the size of the padded input to masks of the original image.

    Args:
        mask_logits: Mask logits (N, H, W) at the size of the padded input.
        threshold: Minimum probability of a foreground pixel.
        img_shape: Height and width (H', W') of the input without its padding.
        ori_shape: Height and width (H'', W'') of the original image.
        resize: Order of the steps. "nearest" thresholds first and resizes the binary mask, as the
            published InstanceVG does; "bilinear" resizes the logits first, which gives smoother
            outlines.
        scale_factor: Factors (x, y) of the input's scaling; required if the image was cropped, and
            the cropped margins become background. If `None`, the input shows the whole image.
        offset: Position (x, y) of the top left corner of the original image in the input.

    Returns:
        Masks (N, H'', W'') bool.
    """
    mask_logits = mask_logits[:, : img_shape[0], : img_shape[1]]
    if scale_factor is not None:
        mask_logits = _restore_margins(mask_logits, ori_shape, scale_factor, offset)
    logit_thr = torch.logit(torch.tensor(threshold, dtype=torch.float64)).item()
    if resize == "nearest":
        return resize_masks(mask_logits >= logit_thr, ori_shape)
    return resize_mask_logits(mask_logits[None], ori_shape, align_corners=False)[0] >= logit_thr


def _restore_margins(
    mask_logits: Tensor,
    ori_shape: tuple[int, int],
    scale_factor: tuple[float, float],
    offset: tuple[float, float],
) -> Tensor:
    """Pad the logits of a crop to those of the whole scaled image.

    Args:
        mask_logits: Logits (N, h, w) of the crop.
        ori_shape: Height and width (H, W) of the original image.
        scale_factor: Factors (sx, sy) of the scaling.
        offset: Position (x, y) of the top left corner of the original image in the crop.

    Returns:
        Logits (N, H * sy, W * sx).
    """
    left, top = round(-offset[0]), round(-offset[1])
    right = round(ori_shape[1] * scale_factor[0]) - left - mask_logits.shape[2]
    below = round(ori_shape[0] * scale_factor[1]) - top - mask_logits.shape[1]
    return F.pad(mask_logits, (left, right, top, below), value=_BACKGROUND_LOGIT)
