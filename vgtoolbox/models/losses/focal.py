"""Focal loss of binary masks (Lin et al., ICCV 2017)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torchvision.ops import sigmoid_focal_loss

from vgtoolbox.models.losses.mask import dice_loss
from vgtoolbox.models.losses.probability_focal import probability_focal_loss
from vgtoolbox.registry import MODELS


@MODELS.register_module()
class FocalDiceLoss(nn.Module):
    """Focal loss, a mean over all pixels, and Dice, a mean over masks.

    Args:
        focal_weight: Weight of the focal term.
        dice_weight: Weight of the Dice term.
        alpha: Weight of foreground pixels in the focal term; background pixels have 1 - alpha.
        gamma: Exponent by which well-classified pixels count less.
        form: Of the focal term: "clean" takes it of logits, "published" takes probabilities for
            logits (`probability_focal_loss`).
    """

    def __init__(
        self,
        *,
        focal_weight: float = 1.0,
        dice_weight: float = 1.0,
        alpha: float = 0.25,
        gamma: float = 2.0,
        form: Literal["published", "clean"] = "clean",
    ) -> None:
        super().__init__()
        if form not in ("published", "clean"):
            raise ValueError(f"form must be 'published' or 'clean', got {form!r}")
        self.focal_weight = focal_weight
        self.dice_weight = dice_weight
        self.alpha = alpha
        self.gamma = gamma
        self.form = form

    def forward(self, mask_logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return `loss_mask_focal` and `loss_mask_dice`; 0 for no masks.

        Args:
            mask_logits: (N, H, W).
            targets: (N, H, W), bool or 0/1.
        """
        mask_logits = mask_logits.float()
        targets = targets.to(mask_logits.dtype)
        # A mean a mask first: the sum over no masks is 0, its mean would be NaN.
        count = max(len(mask_logits), 1)
        if self.form == "clean":
            focal = sigmoid_focal_loss(mask_logits, targets, self.alpha, self.gamma)
        else:
            focal = probability_focal_loss(mask_logits.sigmoid(), targets, self.alpha, self.gamma)
        dice = dice_loss(mask_logits, targets)
        return {
            "loss_mask_focal": self.focal_weight * focal.mean((1, 2)).sum() / count,
            "loss_mask_dice": self.dice_weight * dice.sum() / count,
        }
