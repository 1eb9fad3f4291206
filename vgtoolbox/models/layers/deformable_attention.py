"""Multi-scale deformable attention in pure PyTorch (Deformable DETR, section 4.1).

With the few queries of a grounding model, sampling with `grid_sample` costs little compared with
the backbone, so no compiled operator is needed. The expensive part would be the projection of the
whole pyramid to values. Bilinear sampling is linear, so the few samples are gathered first and
projected afterwards: for 10 queries on the 8500 cells of an 80 x 80 pyramid, this takes less than
1 % of the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.models.layers.constant_cache import ConstantCache


class MultiScaleDeformableAttention(nn.Module):
    """Attention of each query to a few points around its reference, on every level of a pyramid.

    Args:
        channels: Channels C of queries and pyramid, a multiple of `num_heads`.
        num_heads: Number of attention heads.
        num_levels: Number of levels of the pyramid.
        num_points: Number of sampling points per head and level.

    Raises:
        ValueError: `channels` is not a multiple of `num_heads`.
    """

    def __init__(
        self, channels: int, *, num_heads: int = 8, num_levels: int = 4, num_points: int = 4
    ) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(
                f"channels must be a multiple of num_heads={num_heads}, got {channels}"
            )
        self.num_heads, self.num_levels, self.num_points = num_heads, num_levels, num_points
        samples = num_heads * num_levels * num_points
        self.sampling_offsets = nn.Linear(channels, samples * 2)
        self.attention_weights = nn.Linear(channels, samples)
        self.value_proj = nn.Linear(channels, channels)
        self.output_proj = nn.Linear(channels, channels)
        self._constants = ConstantCache()
        self.init_weights()

    def init_weights(self) -> None:
        """Initialize sampling points as a ring: one direction per head, one radius per point."""
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

    def forward(self, query: Tensor, references: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Attend to the pyramid.

        Args:
            query: Queries (B, Q, C), position added.
            references: Reference points (B, Q, 2), x and y in [0, 1] of the image.
            levels: Levels of the pyramid, each (B, C, h_i, w_i).

        Returns:
            Attended features (B, Q, C).
        """
        split = (*query.shape[:2], self.num_heads, self.num_levels, self.num_points)
        offsets = self.sampling_offsets(query).view(*split, 2)  # (B, Q, heads, levels, points, 2)
        weights = self.attention_weights(query).view(*split[:3], -1).softmax(-1).view(split)
        extent = self._extent(levels, references)  # (levels, 1, 2)
        # Offsets are in cells of their level.
        locations = references[:, :, None, None, None] + offsets / extent
        inside = weights * _share_inside(locations * extent, extent)
        gathered = self._gather(levels, locations, weights)  # (B, C, Q, heads)
        value = self._project(gathered, inside.sum((3, 4)))
        return self.output_proj(value.to(query.dtype))

    def _extent(self, levels: Sequence[Tensor], like: Tensor) -> Tensor:
        """Return width and height of each level, (levels, 1, 2), in the dtype of `like`."""
        sizes = tuple((level.shape[3], level.shape[2]) for level in levels)
        return self._constants.get(
            (sizes, like.device, like.dtype),
            lambda: torch.tensor(sizes, device=like.device, dtype=like.dtype)[:, None],
        )

    def _gather(self, levels: Sequence[Tensor], locations: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted sum of the bilinear samples of each query and head.

        Args:
            levels: Levels of the pyramid, each (B, C, h_i, w_i); zero outside the image.
            locations: Sampling points (B, Q, heads, levels, points, 2), x and y in [0, 1].
            weights: Attention weights (B, Q, heads, levels, points).

        Returns:
            Gathered features (B, C, Q, heads).
        """
        batch, num_queries = locations.shape[:2]
        grids = (2 * locations.float() - 1).permute(3, 0, 1, 2, 4, 5).flatten(2, 3)
        shares = weights.float().permute(3, 0, 1, 2, 4).flatten(2, 3)  # (levels, B, Q * heads, P)
        # A GPU reads all channels of a point in one thread; groups of channels use more threads.
        grids = grids[:, :, None].expand(-1, -1, self.num_heads, -1, -1, -1).flatten(1, 2)
        total: Tensor | float = 0.0
        for level, grid, share in zip(levels, grids, shares, strict=True):
            planes = level.float().unflatten(1, (self.num_heads, -1)).flatten(0, 1)
            read = F.grid_sample(planes, grid, align_corners=False).unflatten(0, (batch, -1))
            total = total + (read.flatten(1, 2) * share[:, None]).sum(3)  # (B, C, Q * heads)
        return total.unflatten(2, (num_queries, self.num_heads))  # type: ignore[union-attr]

    def _project(self, gathered: Tensor, inside: Tensor) -> Tensor:
        """Apply `value_proj`, whose rows belong to heads, to the gathered features.

        Args:
            gathered: Features (B, C, Q, heads), as returned by `_gather`.
            inside: Share of each head's attention weight that falls inside the image,
                (B, Q, heads). The head receives the same share of the bias.

        Returns:
            Values (B, Q, C).
        """
        weight = self.value_proj.weight.unflatten(0, (self.num_heads, -1))  # (heads, C / heads, C)
        bias = self.value_proj.bias.unflatten(0, (self.num_heads, -1))
        value = torch.einsum("bcqh,hdc->bqhd", gathered.to(weight.dtype), weight)
        return (value + inside[..., None] * bias).flatten(2)


def _share_inside(cells: Tensor, extent: Tensor) -> Tensor:
    """Return the share of a bilinear sample that falls inside the map, (...), in [0, 1].

    Args:
        cells: Sampling points (..., 2), x and y in cells; the first cell extends from 0 to 1.
        extent: Width and height of the map, broadcastable to `cells`.
    """
    nearest_edge = torch.minimum(cells, extent - cells)
    return (nearest_edge + 0.5).clamp(0.0, 1.0).prod(-1)
