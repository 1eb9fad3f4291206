"""Relative positions on a grid, decomposed by axis (MViTv2: Li et al., CVPR 2022, section 4.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DecomposedRelativePosition(nn.Module):
    """What a query adds to the logit of each key: a term of their rows and one of their columns.

    For a query q at (y, x) and a key at (y', x') it is q · rows[y - y'] + q · columns[x - x'].
    A grid of another side than the tables are for reads them resampled.

    Args:
        head_dim: D, width of an attention head.
        side: Of the grid that the tables are for; they have 2 * side - 1 rows.
    """

    def __init__(self, head_dim: int, side: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(2 * side - 1, head_dim))
        self.columns = nn.Parameter(torch.zeros(2 * side - 1, head_dim))

    def forward(self, query: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return the bias (B, heads, S, S) of queries (B, heads, S, D) on a grid (h, w), S = h * w.

        Ready to be added to scaled logits, as the `attn_mask` of `scaled_dot_product_attention`.
        """
        height, width = grid
        query = query.unflatten(2, grid)
        by_row = torch.einsum("bnyxd,ykd->bnyxk", query, _offsets(self.rows, height))
        by_column = torch.einsum("bnyxd,xkd->bnyxk", query, _offsets(self.columns, width))
        # einsum leaves them row and column first, and their sum, which is side times as large, too.
        by_row, by_column = by_row.contiguous(), by_column.contiguous()
        bias = by_row[..., :, None] + by_column[..., None, :]  # (B, heads, h, w, h, w)
        return bias.flatten(4).flatten(2, 3)


def _offsets(table: Tensor, side: int) -> Tensor:
    """Return for each pair of positions on an axis the row of their distance, (side, side, D)."""
    if len(table) != 2 * side - 1:
        table = F.interpolate(table.t()[None], size=2 * side - 1, mode="linear")[0].t()
    position = torch.arange(side, device=table.device)
    return table[position[:, None] - position + side - 1]
