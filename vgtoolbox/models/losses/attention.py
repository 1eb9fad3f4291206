"""Loss that guides attention toward the targets."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.models.losses.mask import MaskLoss
from vgtoolbox.registry import MODELS
from vgtoolbox.utils.choices import check_choice

AttentionForm = Literal["logits", "mass"]


@MODELS.register_module()
class AttentionLoss(nn.Module):
    """Compare attention over the image grid with the union of the targets (InstanceVG).

    Args:
        form: Formula of the loss. "logits", as published, is Dice and cross-entropy of the pooled
            attention taken as logits; since it holds probabilities near 1 / (h * w), the loss is
            almost constant. "mass" is the negative logarithm of the attention inside the targets,
            averaged over the valid queries of samples that have targets.
        loss_weight: Factor on the loss.
    """

    def __init__(self, *, form: AttentionForm = "logits", loss_weight: float = 0.1) -> None:
        super().__init__()
        check_choice("form", form, get_args(AttentionForm))
        self.form = form
        self.mask_loss = MaskLoss()
        self.loss_weight = loss_weight

    def forward(
        self, attention: Tensor, attention_pooled: Tensor, is_valid: Tensor, target: Tensor
    ) -> dict[str, Tensor]:
        """Return `loss_attention`, a scalar.

        Args:
            attention: Attention (B, Q, h, w), which sums to 1 per query.
            attention_pooled: Maximum of `attention` over the valid queries, (B, h, w).
            is_valid: Whether a query is valid, (B, Q) bool.
            target: Union of the targets, (B, H, W) bool.
        """
        grid = (attention.shape[2], attention.shape[3])
        if self.form == "logits":
            small = F.interpolate(target[:, None].to(attention.dtype), grid, mode="nearest")[:, 0]
            return {"loss_attention": self.loss_weight * self.mask_loss(attention_pooled, small)}
        share = F.adaptive_avg_pool2d(target[:, None].to(attention.dtype), grid)[:, 0]  # (B, h, w)
        mass = torch.einsum("bqhw,bhw->bq", attention, (share > 0).to(attention.dtype))
        counts = is_valid & target.flatten(1).any(1)[:, None]  # (B, Q)
        loss = -(mass.clamp(min=1e-6).log() * counts).sum() / counts.sum().clamp(min=1)
        return {"loss_attention": self.loss_weight * loss}
