"""Cross-entropy and Dice loss of masks of target tokens, as in LISA (arXiv 2308.00692)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.models.losses.mask import soft_dice_loss
from vgtoolbox.registry import MODELS


@MODELS.register_module()
class TokenMaskBCEDiceLoss(nn.Module):
    """Sums over masks of cross-entropy and Dice loss, divided by the number of masks.

    Args:
        bce_weight: Weight of the cross-entropy.
        dice_weight: Weight of the Dice loss; 0.5 in LISA, 4 in UGround and READ.
    """

    def __init__(self, *, bce_weight: float = 2.0, dice_weight: float = 0.5) -> None:
        super().__init__()
        self.bce_weight = bce_weight
        self.dice_weight = dice_weight

    def forward(
        self,
        mask_logits: Sequence[Tensor],
        targets: Sequence[Tensor],
        *,
        normalizer: Tensor,
    ) -> dict[str, Tensor]:
        """Return the scalars `loss_bce` and `loss_dice`.

        Args:
            mask_logits: N predicted masks (h_i, w_i), of the image without padding.
            targets: N target masks (H_i, W_i), bool or 0/1.
            normalizer: Scalar that the sums are divided by.
        """
        sums = normalizer.new_zeros(2)
        for logits, target in zip(mask_logits, targets, strict=True):
            resized = F.interpolate(
                logits.float()[None, None], target.shape, mode="bilinear", align_corners=False
            )[0]
            target = target.to(resized)[None]
            bce = F.binary_cross_entropy_with_logits(resized, target)
            # The published code divides both sums by 1000 before it adds 1e-6.
            dice = soft_dice_loss(resized.sigmoid(), target, smooth=1e-3)
            sums = sums + torch.stack([bce, dice[0]])
        bce, dice = sums / normalizer
        return {"loss_bce": self.bce_weight * bce, "loss_dice": self.dice_weight * dice}
