"""Initial weights that several parts share."""

from __future__ import annotations

import math

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


@torch.no_grad()
def write_local_attention(
    query: nn.Linear,
    key: nn.Linear,
    value: nn.Linear,
    output: nn.Linear,
    *,
    head_dim: int,
    strength: float,
) -> None:
    """Let a rotary attention begin by copying nearby tokens.

    A state is then at first a weighted sum of the tokens up to it, the nearest counting most. From
    random weights a causal model gathers the words of a sentence late, since each is one among many
    tokens. (Value times output as an identity: cf. Trockman and Kolter, arXiv 2305.09828.)

    Args:
        query: The attention's projection to queries, with a bias.
        key: To keys, with a bias, and as many heads as queries have.
        value: To values.
        output: From values.
        head_dim: D, channels of a head, turned in the pairs (i, i + D / 2).
        strength: Logit of a token for itself over that of a far one; positive.

    Raises:
        ValueError: The attention is not of that form, or the strength is not positive.
    """
    if strength <= 0:
        raise ValueError(f"the strength of local attention must be positive, got {strength}")
    if query.bias is None or key.bias is None:
        raise ValueError("local attention begins in biases of queries and keys, as Qwen2 has them")
    if query.weight.shape != key.weight.shape:
        raise ValueError(
            f"local attention needs as many key heads as query heads, found {len(key.weight)} "
            f"channels of keys for {len(query.weight)} of queries"
        )
    # Of these biases a pair that turns by f a token scores cos(f d) at distance d.
    pairs = head_dim // 2
    level = math.sqrt(strength * math.sqrt(head_dim) / pairs)
    for projection in (query, key):
        projection.bias.zero_()
        projection.bias.unflatten(0, (-1, head_dim))[:, :pairs] = level
    nn.init.orthogonal_(value.weight)
    output.weight.copy_(value.weight.T)
