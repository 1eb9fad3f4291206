"""Losses shared by all systems: mask, box center, attention; one concept per file."""

from vgtoolbox.models.losses.attention import AttentionLoss
from vgtoolbox.models.losses.double_sigmoid_focal import double_sigmoid_focal_loss
from vgtoolbox.models.losses.focal import FocalDiceLoss
from vgtoolbox.models.losses.heatmap import (
    gaussian_heatmap,
    gaussian_radius,
    heatmap_focal_loss,
)
from vgtoolbox.models.losses.mask import MaskLoss, dice_loss
from vgtoolbox.models.losses.token_mask import TokenMaskLoss

__all__ = [
    "AttentionLoss",
    "FocalDiceLoss",
    "MaskLoss",
    "TokenMaskLoss",
    "dice_loss",
    "double_sigmoid_focal_loss",
    "gaussian_heatmap",
    "gaussian_radius",
    "heatmap_focal_loss",
]
