"""A mask in which every cell of a map draws its own patch of pixels."""

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
    """A pixel's worth of channels a cell, laid out as a patch; one convolution smooths the seams.

    Args:
        in_channels: C of the map.
        patch_size: Side of a cell, in pixels.
        loss: Config of the loss, with one tensor a term as `FocalDiceLoss` has.
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
        """Return mask logits (B, 1, h * patch, w * patch) from features (B, C, h, w)."""
        return self.smooth(F.pixel_shuffle(self.patches(features), self.patch_size))

    def loss(self, mask_logits: Tensor, targets: BatchTargets) -> dict[str, Tensor]:
        """Compare (B, 1, H, W) with the union of each sample's targets, as weighted losses."""
        return self.mask_loss(mask_logits[:, 0], targets.merged_masks)
