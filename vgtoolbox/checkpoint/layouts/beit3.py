"""BEiT-3's published key layout; in an InstanceVG checkpoint it stands below `vis_enc.`."""

from __future__ import annotations

import torch

from vgtoolbox.checkpoint.layouts.base import StateDict

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
