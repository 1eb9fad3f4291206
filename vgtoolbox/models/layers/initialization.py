"""Initial weights that several parts share."""

from __future__ import annotations

from torch import nn


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
