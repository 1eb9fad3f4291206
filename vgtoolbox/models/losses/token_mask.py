"""The loss of masks that tokens stand for, each at the size of its own image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.ops import sigmoid_focal_loss

from vgtoolbox.models.losses.mask import soft_dice_loss
from vgtoolbox.models.losses.probability_focal import probability_focal_loss
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import resize_mask_logits

Form = Literal["clean", "published"]


@MODELS.register_module()
class TokenMaskLoss(nn.Module):
    """Focal loss and Dice, means over the targets of a batch, those without a mask included.

    Args:
        form: "clean" resizes logits and takes the focal loss of logits. "published" resizes
            probabilities and takes them for logits (`probability_focal_loss`).
        focal_weight: Factor on the focal loss.
        dice_weight: Factor on the Dice loss.
    """

    def __init__(
        self, *, form: Form = "clean", focal_weight: float = 1.0, dice_weight: float = 1.0
    ) -> None:
        super().__init__()
        if form not in ("clean", "published"):
            raise ValueError(f"form must be 'clean' or 'published', got {form!r}")
        self.form = form
        self.focal_weight = focal_weight
        self.dice_weight = dice_weight

    def forward(
        self,
        mask_logits: Tensor,
        targets: Sequence[Tensor],
        *,
        num_missing: int = 0,
        normalizer: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Return `loss_focal`, `loss_dice`, and `soft_iou`, which is only logged.

        Args:
            mask_logits: (N, h, w).
            targets: N masks (H_i, W_i), bool or 0/1.
            num_missing: Targets without a mask, rightly: no loss, an IoU of 1.
            normalizer: What sums are divided by; None is N + num_missing.
        """
        sums = mask_logits.new_zeros(3)
        for places in _same_size(targets):
            wanted = torch.stack([targets[i] for i in places])
            sums = sums + self._sums(mask_logits[places], wanted)
        if normalizer is None:
            normalizer = sums.new_tensor(max(len(targets) + num_missing, 1))
        focal, dice, iou = sums / normalizer
        return {
            "loss_focal": self.focal_weight * focal,
            "loss_dice": self.dice_weight * dice,
            "soft_iou": (iou + num_missing / normalizer).detach(),
        }

    def _sums(self, mask_logits: Tensor, targets: Tensor) -> Tensor:
        """Return the sums of focal loss, Dice loss and soft IoU, (3,), of masks of one size.

        Args:
            mask_logits: (M, h, w).
            targets: (M, H, W).
        """
        size = (targets.shape[1], targets.shape[2])
        targets = targets.to(mask_logits.device, mask_logits.dtype)
        if self.form == "published":
            probabilities = _resize(mask_logits.sigmoid(), size)
            focal = probability_focal_loss(probabilities, targets)
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
    """Resize maps (M, h, w) bilinearly."""
    return resize_mask_logits(maps[None], size, align_corners=False)[0]


def _same_size(targets: Sequence[Tensor]) -> list[list[int]]:
    """Return the positions of the masks of each size."""
    places: dict[tuple[int, ...], list[int]] = {}
    for index, target in enumerate(targets):
        places.setdefault(tuple(target.shape), []).append(index)
    return list(places.values())
