"""Heads that predict one mask per query, and one mask of all targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vgtoolbox.models.matchers import Matches
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import BatchTargets, resize_mask_logits


@MODELS.register_module()
class QueryMaskHead(nn.Module):
    """Predict masks as products of queries and pixels (MaskFormer, section 3.3; no mask MLP).

    Args:
        loss: Config of the mask loss.
        background_weight: Weight of the loss of unmatched queries against empty masks. With 0 this
            loss is not computed.
    """

    def __init__(self, *, loss: Mapping[str, Any], background_weight: float = 0.2) -> None:
        super().__init__()
        self.mask_loss = MODELS.build(loss)
        self.background_weight = background_weight

    def forward(self, queries: Tensor, pixels: Tensor, size: tuple[int, int]) -> Tensor:
        """Return mask logits (B, Q, H, W).

        Args:
            queries: Queries (B, Q, C).
            pixels: Pixel map (B, C, h, w).
            size: Height and width (H, W) of the result.
        """
        mask_logits = torch.einsum("bqc,bchw->bqhw", queries, pixels)
        return resize_mask_logits(mask_logits, size, align_corners=True)

    def loss(
        self, mask_logits: Tensor, matches: Matches, targets: BatchTargets
    ) -> dict[str, Tensor]:
        """Return the losses of matched queries, and of unmatched queries against empty masks.

        Args:
            mask_logits: Predicted masks (B, Q, H, W).
            matches: Matches of the last decoder layer.
            targets: Targets of the B samples.
        """
        matched = mask_logits[matches.batch, matches.query]  # (M, H, W)
        expected = targets.masks[matches.batch, matches.target]  # (M, H, W)
        losses = {"loss_instance_mask": self.mask_loss(matched, expected)}
        if self.background_weight:
            is_unmatched = mask_logits.new_ones(mask_logits.shape[:2], dtype=torch.bool)
            is_unmatched[matches.batch, matches.query] = False
            background = mask_logits[is_unmatched]  # (B * Q - M, H, W)
            empty = torch.zeros_like(background)
            losses["loss_background_mask"] = self.background_weight * self.mask_loss(
                background, empty
            )
        return losses


@MODELS.register_module()
class SemanticMaskHead(nn.Module):
    """Predict one mask of all targets with a 1x1 convolution of the pixel map.

    Args:
        channels: Channels C of the pixel map.
        loss: Config of the mask loss.
    """

    def __init__(self, *, channels: int = 256, loss: Mapping[str, Any]) -> None:
        super().__init__()
        self.predictor = nn.Conv2d(channels, 1, 1)
        self.mask_loss = MODELS.build(loss)

    def forward(self, pixels: Tensor, size: tuple[int, int]) -> Tensor:
        """Return mask logits (B, 1, H, W) of `size` (H, W) from pixels (B, C, h, w)."""
        return resize_mask_logits(self.predictor(pixels), size, align_corners=True)

    def loss(self, mask_logits: Tensor, targets: BatchTargets) -> dict[str, Tensor]:
        """Return the loss of mask logits (B, 1, H, W) against the union of the targets."""
        return {"loss_semantic_mask": self.mask_loss(mask_logits[:, 0], targets.merged_masks)}
