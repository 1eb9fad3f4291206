"""Multi-scale deformable attention in pure torch (Deformable DETR, section 4.1).

With the few queries of a grounding model, sampling by `grid_sample` costs little beside the
backbone, so no compiled operator is needed.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MultiScaleDeformableAttention(nn.Module):
    """Each query samples a few points around its reference, on every level of a feature pyramid.

    Args:
        channels: C.
        num_heads: Attention heads; divides C.
        num_levels: Levels of the pyramid.
        num_points: Sampling points a head and level.
    """

    def __init__(
        self, channels: int, *, num_heads: int = 8, num_levels: int = 4, num_points: int = 4
    ) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(f"channels ({channels}) must be a multiple of num_heads ({num_heads})")
        self.num_heads, self.num_levels, self.num_points = num_heads, num_levels, num_points
        samples = num_heads * num_levels * num_points
        self.sampling_offsets = nn.Linear(channels, samples * 2)
        self.attention_weights = nn.Linear(channels, samples)
        self.value_proj = nn.Linear(channels, channels)
        self.output_proj = nn.Linear(channels, channels)
        self.init_weights()

    def init_weights(self) -> None:
        """Start with a ring of points: one direction a head, one radius a point."""
        nn.init.zeros_(self.sampling_offsets.weight)
        angle = torch.arange(self.num_heads) * (2 * math.pi / self.num_heads)
        direction = torch.stack([angle.cos(), angle.sin()], 1)
        direction /= direction.abs().amax(1, keepdim=True)
        radius = torch.arange(1, self.num_points + 1)
        ring = direction[:, None, None] * radius[None, None, :, None]  # (heads, 1, points, 2)
        ring = ring.expand(-1, self.num_levels, -1, -1)
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(ring.flatten())
        nn.init.zeros_(self.attention_weights.weight)
        nn.init.zeros_(self.attention_weights.bias)
        for linear in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(
        self, query: Tensor, references: Tensor, value: Tensor, level_sizes: list[tuple[int, int]]
    ) -> Tensor:
        """Gather from the pyramid what each query asks for.

        Args:
            query: (B, Q, C), position included.
            references: (B, Q, 2), x and y in 0..1 of the image.
            value: (B, sum of h * w, C), the levels flattened one after the other.
            level_sizes: (h, w) of each level.

        Returns:
            (B, Q, C).
        """
        batch, num_queries, channels = query.shape
        split = (batch, num_queries, self.num_heads, self.num_levels, self.num_points)
        offsets = self.sampling_offsets(query).view(*split, 2)
        weights = self.attention_weights(query).view(*split[:3], -1).softmax(-1).view(split)
        # Offsets are in cells of their level.
        extent = query.new_tensor([[w, h] for h, w in level_sizes])  # (levels, 2)
        locations = references[:, :, None, None, None] + offsets / extent[:, None]
        value = self.value_proj(value).view(batch, -1, self.num_heads, channels // self.num_heads)
        sampled = self._sample(value, locations, level_sizes)
        weights = weights.permute(0, 2, 1, 3, 4).flatten(3)  # (B, heads, Q, levels * points)
        gathered = (sampled * weights[:, :, None]).sum(-1)  # (B, heads, C / heads, Q)
        return self.output_proj(gathered.flatten(1, 2).transpose(1, 2))

    def _sample(
        self, value: Tensor, locations: Tensor, level_sizes: list[tuple[int, int]]
    ) -> Tensor:
        """Read the value maps bilinearly; outside the image they are zero.

        Args:
            value: (B, sum of h * w, heads, C / heads).
            locations: (B, Q, heads, levels, points, 2), x and y in 0..1.
            level_sizes: (h, w) of each level.

        Returns:
            (B, heads, C / heads, Q, levels * points).
        """
        grids = (2 * locations - 1).permute(3, 0, 2, 1, 4, 5).flatten(1, 2)
        sampled = []
        maps = value.split([h * w for h, w in level_sizes], dim=1)
        for map_, size, grid in zip(maps, level_sizes, grids, strict=True):
            plane = map_.permute(0, 2, 3, 1).flatten(0, 1)  # (B * heads, C / heads, h * w)
            sampled.append(F.grid_sample(plane.unflatten(2, size), grid, align_corners=False))
        stacked = torch.stack(sampled, 3)  # (B * heads, C / heads, Q, levels, points)
        return stacked.flatten(3).unflatten(0, (-1, self.num_heads))
