"""Deformable decoder whose queries start at prior points (InstanceVG, based on Deformable DETR)."""

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
from vgtoolbox.utils.choices import check_choice

ReferenceMode = Literal["sum", "residual", "content"]


@dataclass(frozen=True)
class DecodedQueries:
    """Decoded queries.

    Attributes:
        states: Output of every layer, (layers, B, Q, C).
        references: Reference points (B, Q, 2), x and y, around which every layer samples.
    """

    states: Tensor
    references: Tensor


@MODELS.register_module()
class InstanceQueryDecoder(nn.Module):
    """Layers of self-attention, deformable attention over a pyramid, and a feed-forward network.

    Args:
        channels: Channels C.
        num_layers: Number of layers.
        num_heads: Number of attention heads.
        num_levels: Number of levels of the pyramid.
        num_points: Number of sampling points per head and level.
        ffn_channels: Hidden channels of the feed-forward networks.
        dropout: Dropout rate of every layer.
        reference: Formula of the reference point, from the prior point and a predicted shift.
            "sum" is point + sigmoid(shift), in [0, 2] without clamping, as the published weights
            require; "residual" is sigmoid(logit(point) + shift), always inside the image;
            "content" is sigmoid(shift) with a shift predicted from the query's content, as in
            Deformable DETR. It ignores the prior point, for an ablation.

    Raises:
        ValueError: `reference` is not one of these.
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
        check_choice("reference", reference, get_args(ReferenceMode))
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
            content: Query contents (B, Q, C).
            points: Prior points (B, Q, 2), x and y in [0, 1].
            levels: Levels of the pyramid, each (B, C, h_i, w_i).
        """
        position, references = self._positions(content, points)
        states, x = [], content
        for layer in self.layers:
            x = layer(x, position, references, levels)
            states.append(x)
        return DecodedQueries(states=torch.stack(states), references=references)

    def _positions(self, content: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        """Return position embeddings (B, Q, C) and reference points (B, Q, 2) of the queries."""
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
        channels: Channels C.
        attention: Attention to the pyramid.
        num_heads: Number of heads of the self-attention.
        ffn_channels: Hidden channels of the feed-forward network.
        dropout: Dropout rate of self-attention weights, cross-attention output and feed-forward
            layers.
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
        """Return the updated queries (B, Q, C).

        Args:
            x: Queries (B, Q, C).
            position: Position embeddings (B, Q, C).
            references: Reference points (B, Q, 2), x and y.
            levels: Levels of the pyramid, each (B, C, h_i, w_i).
        """
        x = self.self_attention(x, position)
        gathered = self.cross_attention(x + position, references, levels)
        x = self.cross_norm(x + self.cross_dropout(gathered))
        return self.ffn(x)
