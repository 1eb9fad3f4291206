"""Fusion of a vision tower's features with a language model's image states (MLLMSeg, section 3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vgtoolbox.models.layers.dysample import DySample
from vgtoolbox.models.layers.initialization import MatrixInit, init_matrices
from vgtoolbox.models.layers.split_decoder_layer import SplitDecoderLayer
from vgtoolbox.registry import MODELS


@MODELS.register_module()
class DetailSemanticFusion(nn.Module):
    """Linear mix of fine patches, upsampled coarse states, and patches that attended to the states.

    Args:
        detail_channels: Channels C of the patches.
        semantic_channels: Channels H of the language model.
        num_heads: Number of attention heads.
        ffn_channels: Hidden channels of the feed-forward network. If `None`, C.
        upsample_groups: Number of groups of the `DySample` that upsamples the states to the grid
            of the patches.
        dropout: Dropout rate of the attention layer.
        init: Initialization, see `init_matrices`. "xavier", as published, also applies to the
            offsets of `DySample`, which are meant to start near 0; "default" keeps them near 0.
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
        init: MatrixInit = "default",
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
        """Return the fused map of B images, (B, h * w, C).

        Args:
            detail: Patches (B, h * w, C).
            semantic: States of the image tokens, (B, h * w / 4, H).
            grid: Height and width (h, w) of the grid of patches.

        Raises:
            ValueError: There is not one image token per 2 x 2 patches.
        """
        if semantic.shape[1] * 4 != math.prod(grid):
            raise ValueError(
                f"semantic must have one image token per 2 x 2 patches of the grid {grid[0]} x "
                f"{grid[1]}, got {semantic.shape[1]}"
            )
        coarse = self.semantic_proj(semantic)  # (B, h * w / 4, C)
        attended = self.detail(detail, coarse)  # (B, h * w, C)
        coarse_map = coarse.transpose(1, 2).unflatten(2, (grid[0] // 2, grid[1] // 2))
        fine = self.upsample(coarse_map).flatten(2).transpose(1, 2)  # (B, h * w, C)
        return self.mix(torch.cat([attended, detail, fine], 2))
