"""Initial weights that several parts share."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vgtoolbox.models.layers.cosine_patch_basis import cosine_patch_basis
from vgtoolbox.models.layers.position_encoding import sine_position_encoding


def init_matrices(module: nn.Module, init: str) -> None:
    """Leave PyTorch's initial weights ("default"), or draw them as published code does.

    Args:
        module: Whose parameters.
        init: "xavier" draws every parameter of two or more dimensions Xavier-uniformly.
    """
    if init not in ("default", "xavier"):
        raise ValueError(f"init must be 'default' or 'xavier', got {init!r}")
    if init == "xavier":
        for parameter in module.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)


@torch.no_grad()
def write_sine_positions(table: Tensor, grid: tuple[int, int], scale: float) -> None:
    """Let a table of learned positions begin as sines: neighbours are then alike.

    Args:
        table: (h * w, C), written to.
        grid: (h, w).
        scale: Amplitude.
    """
    # With DETR's temperature most channels would be constant on a small grid.
    table.copy_(scale * sine_position_encoding(grid, table.shape[1], temperature=20.0))


@torch.no_grad()
def write_cosine_patches(weight: Tensor, scale: float) -> None:
    """Let a patch embedding begin as cosine filters, which see edges as clearly as colours.

    Args:
        weight: (C, 3, P, P), written to; channels beyond the number of filters keep theirs.
        scale: Strength.
    """
    basis = cosine_patch_basis(weight.shape[-1], len(weight))
    weight[: len(basis)].copy_(scale * basis)
