"""A loss that makes attention fall on the targets."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.models.losses.mask import MaskLoss
from vgtoolbox.registry import MODELS


@MODELS.register_module()
class AttentionLoss(nn.Module):
    """Compare attention over the image grid with the union of the targets.

    Args:
        form: "logits" is the published one: Dice and cross-entropy of the pooled attention, read
            as logits. These are probabilities near 1 / (h * w), so the loss is almost constant.
            "mass" is minus the logarithm of the attention that falls on the targets, a mean over
            the valid queries of samples that have targets.
        loss_weight: Factor on the loss.
    """

    def __init__(
        self, *, form: Literal["logits", "mass"] = "logits", loss_weight: float = 0.1
    ) -> None:
        super().__init__()
        if form not in ("logits", "mass"):
            raise ValueError(f"form must be 'logits' or 'mass', got {form!r}")
        self.form = form
        self.mask_loss = MaskLoss()
        self.loss_weight = loss_weight

    def forward(
        self, attention: Tensor, attention_pooled: Tensor, is_valid: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """Return `loss_attention`.

        Args:
            attention: (B, Q, h, w), sums to 1 a query.
            attention_pooled: (B, h, w).
            is_valid: (B, Q) bool.
            target: (B, H, W) bool, union of the targets.
        """
        grid = (attention.shape[2], attention.shape[3])
        if self.form == "logits":
            small = F.interpolate(target[:, None].to(attention.dtype), grid, mode="nearest")[:, 0]
            return {"loss_attention": self.loss_weight * self.mask_loss(attention_pooled, small)}
        share = F.adaptive_avg_pool2d(target[:, None].to(attention.dtype), grid)[:, 0]
        mass = torch.einsum("bqhw,bhw->bq", attention, (share > 0).to(attention.dtype))
        counts = is_valid & target.flatten(1).any(1)[:, None]
        loss = -(mass.clamp(min=1e-6).log() * counts).sum() / counts.sum().clamp(min=1)
        return {"loss_attention": self.loss_weight * loss}
