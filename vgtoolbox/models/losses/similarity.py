"""Losses of similarity maps against smoothed masks (UGround, arXiv 2510.03853, section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2.functional import gaussian_blur

_KERNEL_SIZE, _SIGMA = 31, 7.0


def gaussian_masks(masks: Tensor) -> Tensor:
    """Blur masks and scale each to a maximum of 1.

    Args:
        masks: Masks (N, H, W), bool or 0/1.

    Returns:
        Masks (N, H, W) float32 in [0, 1].
    """
    side = min(_KERNEL_SIZE, *masks.shape[1:])
    kernel = side if side % 2 else side - 1  # odd, and no larger than the image
    blurred = gaussian_blur(masks.float()[:, None], [kernel, kernel], [_SIGMA, _SIGMA])[:, 0]
    return blurred / blurred.amax((1, 2), keepdim=True).clamp(min=1e-6)


def similarity_losses(maps: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return cross-entropy and Dice loss of the similarity maps of one image.

    Maps in [0, 1] are treated as logits, as published, so that both losses have a high minimum.

    Args:
        maps: Similarity maps (N, H, W).
        masks: Target masks (N, H, W), bool or 0/1.

    Returns:
        Losses (N,) each.
    """
    targets = gaussian_masks(masks.to(maps.device))
    total = targets.sum()
    weight = (targets.numel() - total) / total
    bce = F.binary_cross_entropy_with_logits(maps, targets, reduction="none", pos_weight=weight)
    probabilities, weighted = maps.sigmoid().flatten(1), (weight * targets).flatten(1)
    overlap = (probabilities * weighted).sum(1)
    dice = 1 - (2 * overlap + 1e-6) / (probabilities.sum(1) + weighted.sum(1) + 1e-6)
    return bce.mean((1, 2)), dice


def similarity_losses_by_image(maps: list[Tensor], masks: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return `similarity_losses` of several images, concatenated.

    Args:
        maps: Similarity maps (N_i, H_i, W_i) of each image; at least one image.
        masks: Target masks (N_i, H_i, W_i) of each image.

    Returns:
        Losses (N,) each.
    """
    pairs = [similarity_losses(m, t) for m, t in zip(maps, masks, strict=True)]
    return torch.cat([bce for bce, _ in pairs]), torch.cat([dice for _, dice in pairs])
