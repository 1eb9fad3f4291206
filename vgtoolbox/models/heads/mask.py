"""Mask heads: one mask a query, and one of everything the expression names."""

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
    """A query's mask is its product with the pixel map (MaskFormer, section 3.3; no mask MLP).

    Args:
        loss: Config of the mask loss.
        background_weight: Weight of the loss of unmatched queries against empty masks; 0 skips it.
    """

    def __init__(self, *, loss: Mapping[str, Any], background_weight: float = 0.2) -> None:
        super().__init__()
        self.mask_loss = MODELS.build(loss)
        self.background_weight = background_weight

    def forward(self, queries: Tensor, pixels: Tensor, size: tuple[int, int]) -> Tensor:
        """Return mask logits (B, Q, *size) of queries (B, Q, C) on pixels (B, C, h, w)."""
        mask_logits = torch.einsum("bqc,bchw->bqhw", queries, pixels)
        return resize_mask_logits(mask_logits, size, align_corners=True)

    def loss(
        self, mask_logits: Tensor, matches: Matches, targets: BatchTargets
    ) -> dict[str, Tensor]:
        """Compare matched queries with their targets, and unmatched ones with nothing.

        Args:
            mask_logits: (B, Q, H, W).
            matches: Of the last decoder layer.
            targets: Of the B samples.
        """
        matched = mask_logits[matches.batch, matches.query]  # (M, H, W)
        wanted = targets.masks[matches.batch, matches.target]
        losses = {"loss_instance_mask": self.mask_loss(matched, wanted)}
        if self.background_weight:
            is_free = mask_logits.new_ones(mask_logits.shape[:2], dtype=torch.bool)
            is_free[matches.batch, matches.query] = False
            background = mask_logits[is_free]
            empty = torch.zeros_like(background)
            losses["loss_background_mask"] = self.background_weight * self.mask_loss(
                background, empty
            )
        return losses


@MODELS.register_module()
class SemanticMaskHead(nn.Module):
    """One mask of all targets, by a 1x1 convolution of the pixel map.

    Args:
        channels: C of the pixel map.
        loss: Config of the mask loss.
    """

    def __init__(self, *, channels: int = 256, loss: Mapping[str, Any]) -> None:
        super().__init__()
        self.predictor = nn.Conv2d(channels, 1, 1)
        self.mask_loss = MODELS.build(loss)

    def forward(self, pixels: Tensor, size: tuple[int, int]) -> Tensor:
        """Return mask logits (B, 1, *size) from pixels (B, C, h, w)."""
        return resize_mask_logits(self.predictor(pixels), size, align_corners=True)

    def loss(self, mask_logits: Tensor, targets: BatchTargets) -> dict[str, Tensor]:
        """Compare (B, 1, H, W) with the union of each sample's targets."""
        return {"loss_semantic_mask": self.mask_loss(mask_logits[:, 0], targets.merged_masks)}
