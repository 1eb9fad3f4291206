"""Focal and Dice loss of binary masks (Lin et al., ICCV 2017)."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn
from torchvision.ops import sigmoid_focal_loss

from vgtoolbox.models.losses.double_sigmoid_focal import double_sigmoid_focal_loss
from vgtoolbox.models.losses.mask import dice_loss
from vgtoolbox.registry import MODELS
from vgtoolbox.utils.choices import check_choice

FocalForm = Literal["corrected", "published"]


@MODELS.register_module()
class FocalDiceLoss(nn.Module):
    """Focal loss averaged over all pixels, and Dice loss averaged over masks.

    Args:
        focal_weight: Weight of the focal term.
        dice_weight: Weight of the Dice term.
        alpha: Weight of foreground pixels in the focal term; background pixels have 1 - alpha.
        gamma: Exponent that reduces the weight of well-classified pixels.
        form: Formula of the focal term. "corrected" computes it from logits, as its paper says;
            "published" treats probabilities as logits (`double_sigmoid_focal_loss`).
    """

    def __init__(
        self,
        *,
        focal_weight: float = 1.0,
        dice_weight: float = 1.0,
        alpha: float = 0.25,
        gamma: float = 2.0,
        form: FocalForm = "corrected",
    ) -> None:
        super().__init__()
        check_choice("form", form, get_args(FocalForm))
        self.focal_weight = focal_weight
        self.dice_weight = dice_weight
        self.alpha = alpha
        self.gamma = gamma
        self.form = form

    def forward(self, mask_logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return the scalars `loss_mask_focal` and `loss_mask_dice`; 0 for no masks.

        Args:
            mask_logits: Predicted masks (N, H, W).
            targets: Target masks (N, H, W), bool or 0/1.
        """
        mask_logits = mask_logits.float()
        targets = targets.to(mask_logits.dtype)
        # Averaged per mask first: over no masks the sum is 0, but the mean would be NaN.
        count = max(len(mask_logits), 1)
        if self.form == "corrected":
            focal = sigmoid_focal_loss(mask_logits, targets, self.alpha, self.gamma)
        else:
            focal = double_sigmoid_focal_loss(
                mask_logits.sigmoid(), targets, self.alpha, self.gamma
            )
        dice = dice_loss(mask_logits, targets)
        return {
            "loss_mask_focal": self.focal_weight * focal.mean((1, 2)).sum() / count,
            "loss_mask_dice": self.dice_weight * dice.sum() / count,
        }
