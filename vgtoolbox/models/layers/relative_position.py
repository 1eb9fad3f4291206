"""Relative positions on a grid, decomposed by axis (MViTv2, Li et al., CVPR 2022, section 4.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DecomposedRelativePosition(nn.Module):
    """Attention bias of each query for each key: one term for the rows, one for the columns.

    For a query q at (y, x) and a key at (y', x'), it is q · rows[y - y'] + q · columns[x - x'].
    For a grid of another size, the tables are resampled.

    Args:
        head_dim: Channels D of an attention head.
        side: Side of the grid that the tables are made for; each has 2 * side - 1 rows.
    """

    def __init__(self, head_dim: int, side: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.zeros(2 * side - 1, head_dim))
        self.columns = nn.Parameter(torch.zeros(2 * side - 1, head_dim))

    def forward(self, query: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return the bias for the scaled logits, an `attn_mask` of `scaled_dot_product_attention`.

        Args:
            query: Queries (B, heads, S, D), S = h * w.
            grid: Height and width (h, w) of the grid.

        Returns:
            Bias (B, heads, S, S).
        """
        height, width = grid
        query = query.unflatten(2, grid)  # (B, heads, h, w, D)
        by_row = torch.einsum("bnyxd,ykd->bnyxk", query, _offsets(self.rows, height))
        by_column = torch.einsum("bnyxd,xkd->bnyxk", query, _offsets(self.columns, width))
        # einsum returns strided views with row and column first. Their sum, which is `side` times
        # as large, would inherit these strides.
        by_row, by_column = by_row.contiguous(), by_column.contiguous()
        bias = by_row[..., :, None] + by_column[..., None, :]  # (B, heads, h, w, h, w)
        return bias.flatten(4).flatten(2, 3)


def _offsets(table: Tensor, side: int) -> Tensor:
    """Return the table's row for the distance of each pair of positions, (side, side, D).

    Args:
        table: Rows by relative position, (2 * table_side - 1, D).
        side: Number of positions on the axis; the table is resampled if it is for another number.
    """
    if len(table) != 2 * side - 1:
        table = F.interpolate(table.t()[None], size=2 * side - 1, mode="linear")[0].t()
    position = torch.arange(side, device=table.device)
    return table[position[:, None] - position + side - 1]
