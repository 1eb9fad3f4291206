"""Cutting a grid of tokens into square windows, and putting it together again."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def split_windows(x: Tensor, side: int) -> Tensor:
    """Cut a grid into windows; one that they do not tile is padded with 0 below and right.

    Args:
        x: (B, h, w, C).
        side: Of a window, in cells.

    Returns:
        (B * windows, side, side, C), the windows of a sample row by row.
    """
    batch, height, width, channels = x.shape
    below, right = -height % side, -width % side
    if below or right:
        x = F.pad(x, (0, 0, 0, right, 0, below))
    rows, columns = (height + below) // side, (width + right) // side
    x = x.view(batch, rows, side, columns, side, channels).transpose(2, 3)
    return x.reshape(-1, side, side, channels)


def join_windows(windows: Tensor, size: tuple[int, int]) -> Tensor:
    """Undo `split_windows`, padding left out.

    Args:
        windows: (B * windows, side, side, C).
        size: (h, w) of the grid.

    Returns:
        (B, h, w, C).
    """
    side, channels = windows.shape[1], windows.shape[3]
    rows, columns = -(-size[0] // side), -(-size[1] // side)
    x = windows.view(-1, rows, columns, side, side, channels).transpose(2, 3)
    x = x.reshape(-1, rows * side, columns * side, channels)
    return x[:, : size[0], : size[1]]
