"""From the network's input frame back to the original image: the one place where this is done.

Network inputs are the original image scaled by (sx, sy), placed at the top left corner, and padded
on the right and below. A square stretch, a letterbox and a plain resize are all of this form.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vgtoolbox.structures.boxes import clip_boxes
from vgtoolbox.structures.masks import MaskResize, resize_mask_logits, resize_masks


def boxes_to_original(
    boxes_xyxy: Tensor, scale_factor: tuple[float, float], ori_shape: tuple[int, int]
) -> Tensor:
    """Map boxes (N, 4) from input pixels to original pixels, clipped to the image.

    Args:
        boxes_xyxy: (N, 4), input frame.
        scale_factor: x, y; input coordinate = original coordinate * factor.
        ori_shape: (H, W) of the original image.
    """
    scale_x, scale_y = scale_factor
    scale = boxes_xyxy.new_tensor([scale_x, scale_y, scale_x, scale_y])
    return clip_boxes(boxes_xyxy / scale, ori_shape)


def mask_logits_to_original(
    mask_logits: Tensor,
    *,
    threshold: float,
    img_shape: tuple[int, int],
    ori_shape: tuple[int, int],
    resize: MaskResize,
) -> Tensor:
    """Turn mask logits at the padded input's size into masks of the original image.

    Args:
        mask_logits: (N, H, W), H and W of the padded input.
        threshold: Least probability of a foreground pixel.
        img_shape: (H', W') of the input without its padding.
        ori_shape: (H'', W'') of the original image.
        resize: "nearest" thresholds first and resizes the binary mask, as the published InstanceVG
            does; "bilinear" resizes the logits first, which gives smoother outlines.

    Returns:
        (N, H'', W'') bool.
    """
    mask_logits = mask_logits[:, : img_shape[0], : img_shape[1]]
    cut = torch.logit(torch.tensor(threshold, dtype=torch.float64)).item()
    if resize == "nearest":
        return resize_masks(mask_logits >= cut, ori_shape)
    return resize_mask_logits(mask_logits[None], ori_shape, align_corners=False)[0] >= cut
