"""Published key layout of BEiT-3; an InstanceVG checkpoint has it below `vis_enc.`.

The pretrained files are `beit3_{base,large}_patch16_224.pth`, also distributed as `.zip`, which is
their actual format. They may also contain the heads of the pretraining.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.checkpoint.layouts.base import Layout, StateDict
from vgtoolbox.checkpoint.rename import RenameTable

NAME = "the published BEiT-3"
_ENCODER = "beit3."
_MASK_TOKEN = "beit3.vision_embed.mask_token"  # used by the pretraining with masked patches
_PART = "backbone."  # name of the encoder in a model that has it as a part
_POSITIONS = "vision_positions.weight"
# Rows of the vision position table before those of the patches: two unused ones and CLS.
_FIRST_ROWS = 3

_LAYER = "beit3.encoder.layers.{i}."
_BLOCK = "backbone.blocks.{i}."


def _both(published: str, ours: str) -> list[tuple[str, str]]:
    """Return the rows of a multiway module: A is vision, B is text."""
    return [
        (published.replace("<AB>", letter), ours.replace("<AB>", modality))
        for letter, modality in (("A", "vision"), ("B", "text"))
    ]


# The rows of q, k and v use our split names; `fuse_qkv` concatenates the three tensors to one.
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


def resize_positions(table: Tensor, grid: tuple[int, int]) -> Tensor:
    """Resize the rows of the patches in a vision position table by bicubic interpolation.

    Args:
        table: Position table (3 + s * s, C) for a square grid of s x s patches in row-major order.
        grid: Wanted grid (h, w).

    Returns:
        The table (3 + h * w, C) in the dtype of `table`; `table` itself if the grid is the same.
    """
    first, patches = table[:_FIRST_ROWS], table[_FIRST_ROWS:]
    side = math.isqrt(len(patches))
    if side * side != len(patches) or (side, side) == tuple(grid):
        return table  # if it is not square, loading reports the shape
    square = patches.float().unflatten(0, (side, side)).permute(2, 0, 1)[None]  # (1, C, s, s)
    resized = F.interpolate(square, tuple(grid), mode="bicubic", align_corners=False)[0]
    return torch.cat([first, resized.flatten(1).T.to(table.dtype)])


def fuse_qkv(state: Mapping[str, Tensor]) -> StateDict:
    """Concatenate `...attention.{q,k,v}.*` of (C, C) or (C,) to `...attention.qkv.*`.

    If one of the three is absent, the others keep their names, and loading reports them.
    """
    fused: StateDict = dict(state)
    for query in (key for key in state if ".attention.q." in key):
        names = [query.replace(".attention.q.", f".attention.{name}.") for name in "qkv"]
        if all(name in state for name in names):
            fused[query.replace(".attention.q.", ".attention.qkv.")] = torch.cat(
                [fused.pop(name) for name in names]
            )
    return fused


def split_qkv(state: Mapping[str, Tensor]) -> StateDict:
    """Undo `fuse_qkv`."""
    split = {}
    for key, value in state.items():
        if ".attention.qkv." not in key:
            split[key] = value
            continue
        for name, part in zip("qkv", value.chunk(3), strict=True):
            split[key.replace(".attention.qkv.", f".attention.{name}.")] = part.clone()
    return split


class BEiT3Layout(Layout):
    """Layout of a published BEiT-3, alone or with the heads of its pretraining."""

    name = NAME

    def matches(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a published BEiT-3."""
        return {"beit3.text_embed.weight", "beit3.vision_embed.proj.weight"} <= set(keys)

    def matches_ours(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of our `BEiT3` alone."""
        return {"token_embed.weight", _POSITIONS} <= set(keys)

    def to_ours(self, state: StateDict, model: nn.Module | None = None) -> StateDict:
        """Rename a pretrained state dict; heads and mask token of the pretraining are dropped.

        Args:
            state: State dict with published keys.
            model: `BEiT3`, or a model with a `BEiT3` as `backbone`. It determines the names, and
                the position table is resized to its grid. If `None`, the names are those of a
                `BEiT3`, and nothing is resized.

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

    def to_published(
        self, state: Mapping[str, Tensor], model: nn.Module | None = None
    ) -> StateDict:
        """Rename the state dict of a `BEiT3` to the published layout.

        Raises:
            ValueError: A key has no published counterpart.
        """
        return {TABLE.published_name(_PART + key): value for key, value in split_qkv(state).items()}


LAYOUT = BEiT3Layout()
