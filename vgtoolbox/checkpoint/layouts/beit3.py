"""BEiT-3's published key layout; in an InstanceVG checkpoint it stands below `vis_enc.`.

The pretrained files are `beit3_{base,large}_patch16_224.pth`, also handed around as `.zip`, which
is what they are inside. Beside the encoder they may hold the heads of the pretraining.
"""

from __future__ import annotations

import math
from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.checkpoint.layouts.base import Layout, StateDict
from vgtoolbox.checkpoint.rename import RenameTable

NAME = "the published BEiT-3"
_ENCODER = "beit3."
_MASK_TOKEN = "beit3.vision_embed.mask_token"  # of the pretraining by masked patches
# How a model that has the encoder as a part names it.
_PART = "backbone."
_POSITIONS = "vision_positions.weight"
# Rows of the vision position table before the patches': two unused ones and CLS.
_FIRST_ROWS = 3

_LAYER = "beit3.encoder.layers.{i}."
_BLOCK = "backbone.blocks.{i}."


def _both(published: str, ours: str) -> list[tuple[str, str]]:
    """Return the rows of a multiway module: A is vision, B is text."""
    return [
        (published.replace("<AB>", letter), ours.replace("<AB>", modality))
        for letter, modality in (("A", "vision"), ("B", "text"))
    ]


# The q, k and v rows pass by our split names; `fuse_qkv` makes one tensor of the three.
BEIT3_ROWS = [
    ("beit3.text_embed.{rest}", "backbone.token_embed.{rest}"),
    ("beit3.vision_embed.cls_token", "backbone.cls_token"),
    ("beit3.vision_embed.proj.{rest}", "backbone.patch_embed.{rest}"),
    ("beit3.encoder.embed_positions.A.{rest}", "backbone.vision_positions.{rest}"),
    ("beit3.encoder.embed_positions.B.{rest}", "backbone.text_positions.{rest}"),
    *_both("beit3.encoder.layer_norm.<AB>.{rest}", "backbone.norm.<AB>.{rest}"),
    *_both(_LAYER + "self_attn_layer_norm.<AB>.{rest}", _BLOCK + "norm1.<AB>.{rest}"),
    *_both(_LAYER + "final_layer_norm.<AB>.{rest}", _BLOCK + "norm2.<AB>.{rest}"),
    *_both(_LAYER + "self_attn.q_proj.<AB>.{rest}", _BLOCK + "attention.q.<AB>.{rest}"),
    *_both(_LAYER + "self_attn.k_proj.<AB>.{rest}", _BLOCK + "attention.k.<AB>.{rest}"),
    *_both(_LAYER + "self_attn.v_proj.<AB>.{rest}", _BLOCK + "attention.v.<AB>.{rest}"),
    *_both(_LAYER + "self_attn.out_proj.<AB>.{rest}", _BLOCK + "attention.proj.<AB>.{rest}"),
    *_both(_LAYER + "self_attn.inner_attn_ln.<AB>.{rest}", _BLOCK + "attention.norm.<AB>.{rest}"),
    *_both(_LAYER + "ffn.<AB>.ffn_layernorm.{rest}", _BLOCK + "ffn.<AB>.norm.{rest}"),
    *_both(_LAYER + "ffn.<AB>.{rest}", _BLOCK + "ffn.<AB>.{rest}"),
]


TABLE = RenameTable(BEIT3_ROWS, name=NAME)


def matches(keys: Collection[str]) -> bool:
    """Whether the keys are those of a published BEiT-3."""
    return {"beit3.text_embed.weight", "beit3.vision_embed.proj.weight"} <= set(keys)


def matches_ours(keys: Collection[str]) -> bool:
    """Whether the keys are those of our `BEiT3` by itself."""
    return {"token_embed.weight", _POSITIONS} <= set(keys)


def to_ours(state: StateDict, model: nn.Module | None = None) -> StateDict:
    """Rename a pretrained state dict; heads and the mask token of the pretraining are left out.

    Args:
        state: Published keys.
        model: A `BEiT3`, or a model that has it as `backbone`: names are those in it, and the
            position table is resized to its grid. None names a `BEiT3` and resizes nothing.

    Raises:
        ValueError: A key of the encoder is unknown.
    """
    encoder = getattr(model, "backbone", model)
    ours = fuse_qkv(
        {
            TABLE.our_name(key).removeprefix(_PART): value
            for key, value in state.items()
            if key.startswith(_ENCODER) and key != _MASK_TOKEN
        }
    )
    grid = getattr(encoder, "grid", None)
    if grid is not None and _POSITIONS in ours:
        ours[_POSITIONS] = resize_positions(ours[_POSITIONS], grid)
    return ours if encoder is model else {_PART + key: value for key, value in ours.items()}


def to_published(state: StateDict, model: nn.Module | None = None) -> StateDict:
    """Rename the state dict of one of our `BEiT3` to the published layout.

    Raises:
        ValueError: A key has no published counterpart.
    """
    return {TABLE.published_name(_PART + key): value for key, value in split_qkv(state).items()}


def resize_positions(table: Tensor, grid: tuple[int, int]) -> Tensor:
    """Resize the patches' rows of a vision position table, bicubically.

    Args:
        table: (3 + s * s, C) for a square grid of s x s patches in row-major order.
        grid: (h, w) that is wanted.

    Returns:
        (3 + h * w, C), in the type of `table`; `table` itself where the grid is the same.
    """
    first, patches = table[:_FIRST_ROWS], table[_FIRST_ROWS:]
    side = math.isqrt(len(patches))
    if side * side != len(patches) or (side, side) == tuple(grid):
        return table  # no square: loading reports the shape
    square = patches.float().unflatten(0, (side, side)).permute(2, 0, 1)[None]  # (1, C, s, s)
    resized = F.interpolate(square, tuple(grid), mode="bicubic", align_corners=False)[0]
    return torch.cat([first, resized.flatten(1).T.to(table.dtype)])


def fuse_qkv(state: StateDict) -> StateDict:
    """Concatenate `...attention.{q,k,v}.*` of (C, C) or (C,) to `...attention.qkv.*`.

    Where one of the three is absent, the others keep their names, and loading reports them.
    """
    fused = dict(state)
    for query in (key for key in state if ".attention.q." in key):
        names = [query.replace(".attention.q.", f".attention.{name}.") for name in "qkv"]
        if all(name in state for name in names):
            fused[query.replace(".attention.q.", ".attention.qkv.")] = torch.cat(
                [fused.pop(name) for name in names]
            )
    return fused


def split_qkv(state: StateDict) -> StateDict:
    """Undo `fuse_qkv`."""
    split = {}
    for key, value in state.items():
        if ".attention.qkv." not in key:
            split[key] = value
            continue
        for name, part in zip("qkv", value.chunk(3), strict=True):
            split[key.replace(".attention.qkv.", f".attention.{name}.")] = part.clone()
    return split


LAYOUT = Layout(
    name=NAME,
    matches=matches,
    to_ours=to_ours,
    matches_ours=matches_ours,
    to_published=to_published,
)
