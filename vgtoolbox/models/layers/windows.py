"""Split a grid of tokens into square windows and join them again."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def split_windows(x: Tensor, side: int) -> Tensor:
    """Split a grid into windows, padding it with 0 at the bottom and right to a multiple of `side`.

    Args:
        x: Grid of tokens (B, h, w, C).
        side: Side of a window, in cells.

    Returns:
        Windows (B * windows, side, side, C), those of a sample row by row.
    """
    batch, height, width, channels = x.shape
    below, right = -height % side, -width % side
    if below or right:
        x = F.pad(x, (0, 0, 0, right, 0, below))
    rows, columns = (height + below) // side, (width + right) // side
    x = x.view(batch, rows, side, columns, side, channels).transpose(2, 3)
    return x.reshape(-1, side, side, channels)


def join_windows(windows: Tensor, size: tuple[int, int]) -> Tensor:
    """Invert `split_windows` and remove its padding.

    Args:
        windows: Windows (B * windows, side, side, C).
        size: Height and width (h, w) of the grid.

    Returns:
        Grid of tokens (B, h, w, C).
    """
    side, channels = windows.shape[1], windows.shape[3]
    rows, columns = -(-size[0] // side), -(-size[1] // side)
    x = windows.view(-1, rows, columns, side, side, channels).transpose(2, 3)
    x = x.reshape(-1, rows * side, columns * side, channels)
    return x[:, : size[0], : size[1]]
