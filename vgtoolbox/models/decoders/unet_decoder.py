"""Upsampling path of a U-Net: merge a feature pyramid into one map at its finest resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import Conv2dNormActivation

from vgtoolbox.registry import MODELS


@MODELS.register_module()
class UNetDecoder(nn.Module):
    """Upsample from the coarsest level, concatenate the next level, apply two 3x3 convolutions.

    Args:
        channels: Channels C of the levels and of the result.
        num_levels: Number of levels of the pyramid.
    """

    def __init__(self, *, channels: int, num_levels: int = 4) -> None:
        super().__init__()
        self.stages = nn.ModuleList(
            nn.Sequential(
                Conv2dNormActivation(2 * channels, channels, 3),
                Conv2dNormActivation(channels, channels, 3),
            )
            for _ in range(num_levels - 1)
        )

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Merge levels (B, C, h_i, w_i), finest first, into a map (B, C, h_0, w_0)."""
        *skips, x = levels
        for stage, skip in zip(self.stages, reversed(skips), strict=True):
            x = F.interpolate(x, skip.shape[-2:], mode="bilinear", align_corners=True)
            x = stage(torch.cat([x, skip], 1))
        return x
