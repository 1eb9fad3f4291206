"""Loss of masks that a language model's tokens represent, each at the size of its own image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor, nn
from torchvision.ops import sigmoid_focal_loss

from vgtoolbox.models.losses.double_sigmoid_focal import double_sigmoid_focal_loss
from vgtoolbox.models.losses.focal import FocalForm
from vgtoolbox.models.losses.mask import soft_dice_loss
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import resize_mask_logits
from vgtoolbox.utils.choices import check_choice


@MODELS.register_module()
class TokenMaskLoss(nn.Module):
    """Focal and Dice loss, averaged over the expressions of a batch, with or without a target.

    Args:
        form: Formula of the focal loss. "corrected" resizes logits and computes the loss from
            logits; "published" resizes probabilities and treats them as logits
            (`double_sigmoid_focal_loss`).
        focal_weight: Weight of the focal loss.
        dice_weight: Weight of the Dice loss.
    """

    def __init__(
        self, *, form: FocalForm = "corrected", focal_weight: float = 1.0, dice_weight: float = 1.0
    ) -> None:
        super().__init__()
        check_choice("form", form, get_args(FocalForm))
        self.form = form
        self.focal_weight = focal_weight
        self.dice_weight = dice_weight

    def forward(
        self,
        mask_logits: Tensor,
        targets: Sequence[Tensor],
        *,
        num_no_target: int = 0,
        normalizer: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return the scalars `loss_focal`, `loss_dice` and `soft_iou`, which is only logged.

        Args:
            mask_logits: Predicted masks (N, h, w).
            targets: N target masks (H_i, W_i), bool or 0/1.
            num_no_target: Number of expressions without a target, which have no mask: each counts
                with a loss of 0 and an IoU of 1.
            normalizer: Scalar that the sums are divided by. If `None`, N + num_no_target.
        """
        sums = mask_logits.new_zeros(3)
        for indices in _group_by_size(targets):
            same_size = torch.stack([targets[i] for i in indices])
            sums = sums + self._sums(mask_logits[indices], same_size)
        if normalizer is None:
            normalizer = sums.new_tensor(max(len(targets) + num_no_target, 1))
        focal, dice, iou = sums / normalizer
        return {
            "loss_focal": self.focal_weight * focal,
            "loss_dice": self.dice_weight * dice,
            "soft_iou": (iou + num_no_target / normalizer).detach(),
        }

    def _sums(self, mask_logits: Tensor, targets: Tensor) -> Tensor:
        """Return the sums of focal loss, Dice loss and soft IoU, (3,), of masks of the same size.

        Args:
            mask_logits: Predicted masks (M, h, w).
            targets: Target masks (M, H, W).
        """
        size = (targets.shape[1], targets.shape[2])
        targets = targets.to(mask_logits.device, mask_logits.dtype)
        if self.form == "published":
            probabilities = _resize(mask_logits.sigmoid(), size)
            focal = double_sigmoid_focal_loss(probabilities, targets)
        else:
            logits = _resize(mask_logits, size)
            probabilities = logits.sigmoid()
            focal = sigmoid_focal_loss(logits, targets)
        dice = soft_dice_loss(probabilities, targets)
        overlap = (probabilities * targets).sum((1, 2))
        union = probabilities.sum((1, 2)) + targets.sum((1, 2)) - overlap
        iou = overlap / union.clamp(min=1e-6)
        return torch.stack([focal.mean((1, 2)).sum(), dice.sum(), iou.sum()])


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize maps (M, h, w) bilinearly to (M, *size)."""
    return resize_mask_logits(maps[None], size, align_corners=False)[0]


def _group_by_size(targets: Sequence[Tensor]) -> list[list[int]]:
    """Return the indices of the masks of each size."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, target in enumerate(targets):
        groups.setdefault(tuple(target.shape), []).append(index)
    return list(groups.values())
