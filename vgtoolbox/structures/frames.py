"""From the network's input frame back to the original image: the one place where this is done.

Network inputs are the original image scaled by (sx, sy), shifted by an offset where something was
cut away on the left or above, and padded on the right and below. A square stretch, a letterbox, a
plain resize and a crop are all of this form.
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

# A logit; finite, since bilinear resizing multiplies it by 0.
_CERTAINLY_BACKGROUND = -100.0


def boxes_to_original(
    boxes_xyxy: Tensor,
    scale_factor: tuple[float, float],
    ori_shape: tuple[int, int],
    *,
    offset: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """Map boxes (N, 4) from input pixels to original pixels, clipped to the image.

    Args:
        boxes_xyxy: (N, 4), input frame.
        scale_factor: x, y; input coordinate = original coordinate * factor + offset.
        ori_shape: (H, W) of the original image.
        offset: x, y; where the corner of the original image lies in the input.
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
    """Turn mask logits at the padded input's size into masks of the original image.

    Args:
        mask_logits: (N, H, W), H and W of the padded input.
        threshold: Least probability of a foreground pixel.
        img_shape: (H', W') of the input without its padding.
        ori_shape: (H'', W'') of the original image.
        resize: "nearest" thresholds first and resizes the binary mask, as the published InstanceVG
            does; "bilinear" resizes the logits first, which gives smoother outlines.
        scale_factor: x, y; needed where parts of the image were cut away, which become background.
        offset: x, y; where the corner of the original image then lies in the input.

    Returns:
        (N, H'', W'') bool.
    """
    mask_logits = mask_logits[:, : img_shape[0], : img_shape[1]]
    if scale_factor is not None:
        mask_logits = _restore_cut_margins(mask_logits, ori_shape, scale_factor, offset)
    cut = torch.logit(torch.tensor(threshold, dtype=torch.float64)).item()
    if resize == "nearest":
        return resize_masks(mask_logits >= cut, ori_shape)
    return resize_mask_logits(mask_logits[None], ori_shape, align_corners=False)[0] >= cut


def _restore_cut_margins(
    mask_logits: Tensor,
    ori_shape: tuple[int, int],
    scale_factor: tuple[float, float],
    offset: tuple[float, float],
) -> Tensor:
    """Put logits (N, h, w) of a window back into those of the whole scaled image."""
    left, top = round(-offset[0]), round(-offset[1])
    right = round(ori_shape[1] * scale_factor[0]) - left - mask_logits.shape[2]
    below = round(ori_shape[0] * scale_factor[1]) - top - mask_logits.shape[1]
    return F.pad(mask_logits, (left, right, top, below), value=_CERTAINLY_BACKGROUND)
