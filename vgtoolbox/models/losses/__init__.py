"""Losses: one concept a file, shared by every system."""

from vgtoolbox.models.losses.attention import AttentionLoss
from vgtoolbox.models.losses.mask import MaskLoss, dice_loss

__all__ = ["AttentionLoss", "MaskLoss", "dice_loss"]
