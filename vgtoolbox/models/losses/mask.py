"""Dice and binary cross-entropy losses of masks."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.registry import MODELS


def dice_loss(mask_logits: Tensor, targets: Tensor) -> Tensor:
    """Return 1 - Dice of each mask, smoothed by 1 (V-Net, Milletari et al., 2016).

    Args:
        mask_logits: Predicted masks (N, H, W).
        targets: Target masks (N, H, W), 0 or 1.

    Returns:
        Losses (N,).
    """
    return soft_dice_loss(mask_logits.sigmoid(), targets)


def soft_dice_loss(probabilities: Tensor, targets: Tensor, *, smooth: float = 1.0) -> Tensor:
    """Return `dice_loss` of probabilities.

    Args:
        probabilities: Predicted masks after the sigmoid, (N, H, W).
        targets: Target masks (N, H, W), 0 or 1.
        smooth: Number added to numerator and denominator.

    Returns:
        Losses (N,).
    """
    probabilities, targets = probabilities.flatten(1), targets.flatten(1)
    overlap = (probabilities * targets).sum(1)
    return 1 - (2 * overlap + smooth) / (probabilities.sum(1) + targets.sum(1) + smooth)


@MODELS.register_module()
class MaskLoss(nn.Module):
    """Dice loss averaged over masks, plus binary cross-entropy averaged over all pixels.

    Args:
        dice_weight: Weight of the Dice term.
        bce_weight: Weight of the cross-entropy term.
    """

    def __init__(self, *, dice_weight: float = 1.0, bce_weight: float = 1.0) -> None:
        super().__init__()
        self.dice_weight = dice_weight
        self.bce_weight = bce_weight

    def forward(self, mask_logits: Tensor, targets: Tensor) -> Tensor:
        """Return the loss, a scalar; 0 for no masks.

        Args:
            mask_logits: Predicted masks (N, H, W).
            targets: Target masks (N, H, W), bool or 0/1.
        """
        if mask_logits.shape[0] == 0:
            # The mean over no masks would be NaN. The product keeps the logits in the graph, so
            # that every process of a distributed training has gradients.
            return mask_logits.sum() * 0.0
        targets = targets.to(mask_logits.dtype)
        dice = dice_loss(mask_logits, targets).mean()
        bce = F.binary_cross_entropy_with_logits(mask_logits, targets)
        return self.dice_weight * dice + self.bce_weight * bce
