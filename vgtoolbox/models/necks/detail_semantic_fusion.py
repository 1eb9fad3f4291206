"""Fusing what a vision tower sees with what a language model makes of it (MLLMSeg, section 3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vgtoolbox.models.layers.dysample import DySample
from vgtoolbox.models.layers.initialization import init_matrices
from vgtoolbox.models.layers.split_decoder_layer import SplitDecoderLayer
from vgtoolbox.registry import MODELS


@MODELS.register_module()
class DetailSemanticFusion(nn.Module):
    """Fine patches, coarse states, and patches that attended to the states, mixed linearly.

    Args:
        detail_channels: C of the patches.
        semantic_channels: H of the language model.
        num_heads: Attention heads.
        ffn_channels: Width of the feed-forward network; None is C.
        upsample_groups: Of the DySample that brings the states to the patches' grid.
        dropout: In training.
        init: "xavier" is the published one, which draws the offsets of DySample as well, although
            they are meant to begin near 0; "default" keeps them there.
    """

    def __init__(
        self,
        *,
        detail_channels: int = 1024,
        semantic_channels: int,
        num_heads: int = 8,
        ffn_channels: int | None = None,
        upsample_groups: int = 4,
        dropout: float = 0.1,
        init: str = "default",
    ) -> None:
        super().__init__()
        channels = detail_channels
        self.semantic_proj = nn.Linear(semantic_channels, channels)
        self.detail = SplitDecoderLayer(
            channels=channels,
            num_heads=num_heads,
            ffn_channels=ffn_channels or channels,
            dropout=dropout,
        )
        self.upsample = DySample(channels=channels, scale=2, groups=upsample_groups)
        self.mix = nn.Linear(3 * channels, channels)
        init_matrices(self, init)

    def forward(self, detail: Tensor, semantic: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return the fused map (I, h * w, C).

        Args:
            detail: (I, h * w, C), patches.
            semantic: (I, h * w / 4, H), states of the image tokens.
            grid: (h, w).
        """
        if semantic.shape[1] * 4 != math.prod(grid):
            raise ValueError(
                f"{semantic.shape[1]} image tokens for a grid of {grid[0]} x {grid[1]} patches; "
                "expected one for each 2 x 2 of them"
            )
        coarse = self.semantic_proj(semantic)  # (I, h * w / 4, C)
        attended = self.detail(detail, coarse)
        coarse_map = coarse.transpose(1, 2).unflatten(2, (grid[0] // 2, grid[1] // 2))
        fine = self.upsample(coarse_map).flatten(2).transpose(1, 2)
        return self.mix(torch.cat([attended, detail, fine], 2))
