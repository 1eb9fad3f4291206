"""Head that predicts a mask as one patch of pixels per cell of a map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import Conv2dNormActivation

from vgtoolbox.registry import MODELS
from vgtoolbox.structures import BatchTargets


@MODELS.register_module()
class PatchMaskHead(nn.Module):
    """Predict patch_size^2 channels per cell, arrange them as a patch, and smooth the borders.

    Args:
        in_channels: Channels C of the map.
        patch_size: Side of a patch in pixels.
        loss: Config of the mask loss, which returns a dict of terms like `FocalDiceLoss`.
    """

    def __init__(
        self, *, in_channels: int = 256, patch_size: int = 16, loss: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.patches = Conv2dNormActivation(in_channels, patch_size**2, 1, bias=True, inplace=None)
        self.smooth = nn.Conv2d(1, 1, 5, padding=2)
        self.mask_loss = MODELS.build(loss)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Return mask logits (B, 1, h * patch_size, w * patch_size) from features (B, C, h, w)."""
        return self.smooth(F.pixel_shuffle(self.patches(features), self.patch_size))

    def loss(self, mask_logits: Tensor, targets: BatchTargets) -> dict[str, Tensor]:
        """Return the losses of mask logits (B, 1, H, W) against the union of the targets."""
        return self.mask_loss(mask_logits[:, 0], targets.merged_masks)
