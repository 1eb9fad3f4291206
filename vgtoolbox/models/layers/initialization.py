"""Weight initialization shared by several parts."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from vgtoolbox.models.layers.cosine_patch_basis import cosine_patch_basis
from vgtoolbox.models.layers.position_encoding import sine_position_encoding
from vgtoolbox.utils.choices import check_choice

MatrixInit = Literal["default", "xavier"]


def init_matrices(module: nn.Module, init: MatrixInit) -> None:
    """Initialize all parameters of a module that have two or more dimensions.

    Args:
        module: Module with the parameters.
        init: "default" keeps PyTorch's initial weights; "xavier" draws from a Xavier uniform
            distribution, as published code does.

    Raises:
        ValueError: `init` is not one of these.
    """
    check_choice("init", init, get_args(MatrixInit))
    if init == "xavier":
        for parameter in module.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)


@torch.no_grad()
def init_sine_positions(table: Tensor, grid: tuple[int, int], scale: float) -> None:
    """Initialize a table of learned positions with sines, so that neighbors are similar.

    Args:
        table: Position table (h * w, C), overwritten.
        grid: Height and width (h, w) of the grid.
        scale: Amplitude of the sines.
    """
    # With DETR's temperature of 10000, most channels would be constant on a small grid.
    table.copy_(scale * sine_position_encoding(grid, table.shape[1], temperature=20.0))


@torch.no_grad()
def init_cosine_patches(weight: Tensor, scale: float) -> None:
    """Initialize a patch embedding with cosine filters, which see edges as clearly as colors.

    Args:
        weight: Convolution weight (C, 3, P, P), overwritten. Channels beyond the 3 * P * P filters
            keep their values.
        scale: Factor on the filters of `cosine_patch_basis`.
    """
    basis = cosine_patch_basis(weight.shape[-1], len(weight))
    weight[: len(basis)].copy_(scale * basis)


@torch.no_grad()
def init_local_attention(
    query: nn.Linear,
    key: nn.Linear,
    value: nn.Linear,
    output: nn.Linear,
    *,
    head_dim: int,
    strength: float,
) -> None:
    """Initialize an attention with rotary positions so that it copies nearby tokens.

    Each state is then a weighted sum of the tokens up to it, in which the nearest have the largest
    weights. A causal model with random weights learns late to gather the words of a sentence, since
    each word is one of many tokens. For value times output as an identity, cf. Trockman and Kolter,
    arXiv 2305.09828.

    Args:
        query: Query projection, with a bias; overwritten like the others.
        key: Key projection, with a bias and the same number of heads as `query`.
        value: Value projection.
        output: Output projection.
        head_dim: Channels D of a head; rotary positions turn the pairs (i, i + D / 2).
        strength: Attention logit of a token for itself minus that for a distant token; positive.

    Raises:
        ValueError: A projection has no bias, the numbers of heads differ, or `strength` is not
            positive.
    """
    if strength <= 0:
        raise ValueError(f"strength must be positive, got {strength}")
    if query.bias is None or key.bias is None:
        raise ValueError(
            "query and key must have biases, as in Qwen2, got a projection without; "
            "disable local attention for this language model"
        )
    if query.weight.shape != key.weight.shape:
        raise ValueError(
            f"key must have as many channels as query ({len(query.weight)}), got "
            f"{len(key.weight)}; local attention does not support grouped-query attention"
        )
    # With equal biases, a pair that rotates by f per token contributes cos(f * d) at distance d.
    pairs = head_dim // 2
    level = math.sqrt(strength * math.sqrt(head_dim) / pairs)
    for projection in (query, key):
        projection.bias.zero_()
        projection.bias.unflatten(0, (-1, head_dim))[:, :pairs] = level
    nn.init.orthogonal_(value.weight)
    output.weight.copy_(value.weight.T)
