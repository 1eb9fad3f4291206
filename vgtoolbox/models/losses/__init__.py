"""Losses shared by all systems: mask, box center, attention; one concept per file."""

from vgtoolbox.models.losses.attention import AttentionLoss
from vgtoolbox.models.losses.double_sigmoid_focal import double_sigmoid_focal_loss
from vgtoolbox.models.losses.focal import FocalDiceLoss
from vgtoolbox.models.losses.heatmap import (
    gaussian_heatmap,
    gaussian_radius,
    heatmap_focal_loss,
)
from vgtoolbox.models.losses.layer_policy import LayerPolicyLoss
from vgtoolbox.models.losses.mask import MaskLoss, dice_loss
from vgtoolbox.models.losses.similarity import gaussian_masks, similarity_losses_by_image
from vgtoolbox.models.losses.token_mask import TokenMaskLoss
from vgtoolbox.models.losses.token_mask_bce_dice import TokenMaskBCEDiceLoss

__all__ = [
    "AttentionLoss",
    "FocalDiceLoss",
    "LayerPolicyLoss",
    "MaskLoss",
    "TokenMaskBCEDiceLoss",
    "TokenMaskLoss",
    "dice_loss",
    "double_sigmoid_focal_loss",
    "gaussian_heatmap",
    "gaussian_masks",
    "gaussian_radius",
    "heatmap_focal_loss",
    "similarity_losses_by_image",
]
