"""Sine position encoding of a 2-D grid."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sine_position_encoding(
    grid: tuple[int, int],
    channels: int,
    *,
    temperature: float = 10000.0,
    device: torch.device | None = None,
) -> Tensor:
    """Encode the cells of a grid by sines of their normalized row and column (DETR, section A.4).

    Cells are counted from 1 and scaled to 2 * pi. The first half of the channels encodes y, the
    second x; sine and cosine alternate.

    Args:
        grid: Height and width (h, w) of the grid.
        channels: Channels C, a multiple of 4.
        temperature: Ratio of the longest to the shortest wavelength.
        device: Device of the result. If `None`, PyTorch's default device.

    Returns:
        Encodings (h * w, C) in row-major order.
    """
    half = channels // 2
    exponent = torch.arange(half, dtype=torch.float32, device=device) // 2 * 2 / half
    frequencies = temperature**exponent  # (C/2,)

    def encode(cells: int) -> Tensor:
        """Return the encodings (cells, C/2) of the positions on one axis."""
        position = torch.arange(1, cells + 1, dtype=torch.float32, device=device)
        angle = (position / (cells + 1e-6) * 2 * math.pi)[:, None] / frequencies  # (cells, C/2)
        return torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], 2).flatten(1)

    height, width = grid
    rows = encode(height)[:, None].expand(height, width, half)
    columns = encode(width)[None].expand(height, width, half)
    return torch.cat([rows, columns], 2).flatten(0, 1)  # (h * w, C)
