"""A deformable decoder whose queries start at prior points (InstanceVG, on Deformable DETR)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from vgtoolbox.models.layers import (
    MultiScaleDeformableAttention,
    PostNormFeedForward,
    PostNormSelfAttention,
    inverse_sigmoid,
)
from vgtoolbox.registry import MODELS

ReferenceMode = Literal["sum", "residual", "content"]


@dataclass(frozen=True)
class DecodedQueries:
    """What the decoder's layers make of the queries.

    Attributes:
        states: (layers, B, Q, C).
        references: (B, Q, 2), x and y; the points around which every layer samples.
    """

    states: Tensor
    references: Tensor


@MODELS.register_module()
class InstanceQueryDecoder(nn.Module):
    """Layers of self-attention, deformable attention over a pyramid, and a feed-forward network.

    Args:
        channels: C.
        num_layers: Number of layers.
        num_heads: Attention heads.
        num_levels: Levels of the pyramid.
        num_points: Sampling points a head and level.
        ffn_channels: Hidden width of the feed-forward networks.
        dropout: In every layer.
        reference: How a point and what its query predicts make the initial reference: "sum" adds
            point and sigmoid(shift), in 0..2 and unclamped, which published weights depend on;
            "residual" is sigmoid(logit(point) + shift), always inside the image. "content" leaves
            the point out: sigmoid(shift of the query's content), as in Deformable DETR; it tells
            what prior points are worth.
    """

    def __init__(
        self,
        *,
        channels: int = 256,
        num_layers: int = 3,
        num_heads: int = 8,
        num_levels: int = 4,
        num_points: int = 4,
        ffn_channels: int = 1024,
        dropout: float = 0.1,
        reference: ReferenceMode = "sum",
    ) -> None:
        super().__init__()
        if reference not in get_args(ReferenceMode):
            modes = get_args(ReferenceMode)
            raise ValueError(f"reference must be one of {modes}, got {reference!r}")
        self.reference = reference
        self.position_embed = nn.Linear(2, channels)
        self.reference_shift = nn.Linear(channels, 2)
        self.layers = nn.ModuleList(
            DeformableDecoderLayer(
                channels,
                MultiScaleDeformableAttention(
                    channels, num_heads=num_heads, num_levels=num_levels, num_points=num_points
                ),
                num_heads=num_heads,
                ffn_channels=ffn_channels,
                dropout=dropout,
            )
            for _ in range(num_layers)
        )
        nn.init.xavier_uniform_(self.reference_shift.weight)
        nn.init.zeros_(self.reference_shift.bias)

    def forward(self, content: Tensor, points: Tensor, levels: Sequence[Tensor]) -> DecodedQueries:
        """Decode the queries.

        Args:
            content: (B, Q, C).
            points: (B, Q, 2), x and y in 0..1.
            levels: Pyramid, each (B, C, h_i, w_i).
        """
        position, references = self._place(content, points)
        states, x = [], content
        for layer in self.layers:
            x = layer(x, position, references, levels)
            states.append(x)
        return DecodedQueries(states=torch.stack(states), references=references)

    def _place(self, content: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return the queries' embedded positions (B, Q, C), and their references (B, Q, 2)."""
        if self.reference == "content":
            references = self.reference_shift(content).sigmoid()
            return self.position_embed(references), references
        position = self.position_embed(points)
        shift = self.reference_shift(position)
        if self.reference == "sum":
            return position, points + shift.sigmoid()
        return position, (inverse_sigmoid(points) + shift).sigmoid()


class DeformableDecoderLayer(nn.Module):
    """Self-attention among queries, deformable attention to the pyramid, feed-forward network.

    Args:
        channels: C.
        attention: Attention to the pyramid.
        num_heads: Heads of the self-attention.
        ffn_channels: Hidden width of the feed-forward network.
        dropout: Of self-attention weights, cross-attention output and feed-forward layers.
    """

    def __init__(
        self,
        channels: int,
        attention: MultiScaleDeformableAttention,
        *,
        num_heads: int,
        ffn_channels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.self_attention = PostNormSelfAttention(channels, num_heads, dropout=dropout)
        self.cross_attention = attention
        self.cross_dropout = nn.Dropout(dropout)
        self.cross_norm = nn.LayerNorm(channels)
        self.ffn = PostNormFeedForward(channels, ffn_channels, dropout=dropout)

    def forward(
        self, x: Tensor, position: Tensor, references: Tensor, levels: Sequence[Tensor]
    ) -> Tensor:
        """Update x (B, Q, C) with `position` (B, Q, C); the rest as the attention takes it."""
        x = self.self_attention(x, position)
        gathered = self.cross_attention(x + position, references, levels)
        x = self.cross_norm(x + self.cross_dropout(gathered))
        return self.ffn(x)
