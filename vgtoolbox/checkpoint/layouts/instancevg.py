"""Key layout of the five published InstanceVG checkpoints."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts.base import Layout, StateDict
from vgtoolbox.checkpoint.layouts.beit3 import BEIT3_ROWS, fuse_qkv, split_qkv
from vgtoolbox.checkpoint.rename import RenameTable

NAME = "the published InstanceVG"

# Tensors that the published model stores and never reads.
_UNUSED = re.compile(
    r"vis_enc\.beit3\.vision_embed\.mask_token"
    r"|head\.query_embedding\..*"
    r"|head\.proj_pixel_level_cons\..*"
    r"|head\.query_generation\.query_embed\..*"
    r"|head\.decoder_transformer\.level_embeds"
    r"|head\.detrloss\.criterion\.empty_weight"
)
# All layers of the decoder share their heads, which are stored once per layer.
_COPY = re.compile(r"head\.(class_embed|bbox_embed)\.([1-9])\.(.*)")

_T2I = "head.query_generation.T2I_decoder.layers.0."
_SELECTOR = "query_selector.text_to_image."
_LAYER, _OURS = "head.decoder_transformer.decoder.layers.{i}.", "decoder.layers.{i}."


def _mlp(published: str, ours: str) -> list[tuple[str, str]]:
    """Return the rows of a three-layer MLP; that of torchvision counts activation and dropout."""
    return [
        (f"{published}.layers.{i}.{{rest}}", f"{ours}.{place}.{{rest}}")
        for i, place in enumerate((0, 3, 6))
    ]


def _unet() -> list[tuple[str, str]]:
    """Return the rows of the U-Net decoder, whose stages have the number of the level below."""
    return [
        (
            f"head.unet_decoder.{kind}{conv}_{4 - stage}.{{rest}}",
            f"pixel_decoder.stages.{stage}.{conv - 1}.{place}.{{rest}}",
        )
        for stage in range(3)
        for conv in (1, 2)
        for place, kind in enumerate(("conv", "bn"))
    ]


def _pyramid(published: str, ours: str) -> list[tuple[str, str]]:
    return [
        (f"head.neck.{published}.{{i}}.conv.{{rest}}", f"neck.{ours}.{{i}}.0.{{rest}}"),
        (f"head.neck.{published}.{{i}}.norm_layer.{{rest}}", f"neck.{ours}.{{i}}.1.{{rest}}"),
    ]


TABLE = RenameTable(
    [
        *((f"vis_enc.{published}", ours) for published, ours in BEIT3_ROWS),
        ("head.lan_embedding.{rest}", "text_proj.{rest}"),
        ("head.img_embedding.{rest}", "image_proj.{rest}"),
        ("head.neck.fpn1.{rest}", "neck.scales.0.{rest}"),
        ("head.neck.fpn2.0.{rest}", "neck.scales.1.{rest}"),
        *_pyramid("lateral_convs", "laterals"),
        *_pyramid("fpn_convs", "outputs"),
        *_unet(),
        ("head.seg_branch.predict.{rest}", "semantic_mask_head.predictor.{rest}"),
        *_mlp("head.nt_embed", "existence_head.mlp"),
        ("head.class_embed.0.{rest}", "box_head.classifier.{rest}"),
        *_mlp("head.bbox_embed.0", "box_head.box_mlp"),
        *_mlp("head.query_generation.mlp", "query_selector.content_mlp"),
        (_T2I + "attentions.0.attn.{rest}", _SELECTOR + "self_attention.attention.{rest}"),
        (_T2I + "norms.0.{rest}", _SELECTOR + "self_attention.norm.{rest}"),
        (_T2I + "attentions.1.attn.{rest}", _SELECTOR + "cross_attention.{rest}"),
        (_T2I + "norms.1.{rest}", _SELECTOR + "cross_norm.{rest}"),
        (_T2I + "ffns.0.layers.0.0.{rest}", _SELECTOR + "ffn.linear1.{rest}"),
        (_T2I + "ffns.0.layers.1.{rest}", _SELECTOR + "ffn.linear2.{rest}"),
        (_T2I + "norms.2.{rest}", _SELECTOR + "ffn.norm.{rest}"),
        (
            "head.query_generation.T2I_decoder.post_norm_layer.{rest}",
            _SELECTOR + "norm.{rest}",
        ),
        ("head.query_pos_embedding.{rest}", "decoder.position_embed.{rest}"),
        ("head.decoder_transformer.reference_points.{rest}", "decoder.reference_shift.{rest}"),
        (_LAYER + "attentions.0.attn.{rest}", _OURS + "self_attention.attention.{rest}"),
        (_LAYER + "norms.0.{rest}", _OURS + "self_attention.norm.{rest}"),
        (_LAYER + "attentions.1.{rest}", _OURS + "cross_attention.{rest}"),
        (_LAYER + "norms.1.{rest}", _OURS + "cross_norm.{rest}"),
        (_LAYER + "ffns.0.layers.0.0.{rest}", _OURS + "ffn.linear1.{rest}"),
        (_LAYER + "ffns.0.layers.1.{rest}", _OURS + "ffn.linear2.{rest}"),
        (_LAYER + "norms.2.{rest}", _OURS + "ffn.norm.{rest}"),
    ],
    name=NAME,
)


def is_unused(key: str) -> bool:
    """Return whether the published model stores this tensor and never reads it."""
    return _UNUSED.fullmatch(key) is not None


class InstanceVGLayout(Layout):
    """Layout of the published InstanceVG checkpoints."""

    name = NAME

    def matches(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a published InstanceVG checkpoint."""
        return {"vis_enc.beit3.text_embed.weight", "head.nt_embed.layers.0.weight"} <= set(keys)

    def matches_ours(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of an `InstanceVG` on BEiT-3."""
        return {"backbone.token_embed.weight", "existence_head.mlp.0.weight"} <= set(keys)

    def to_ours(self, state: StateDict, model: nn.Module | None = None) -> StateDict:
        """Rename a published state dict; unused tensors and copies of the heads are dropped.

        Args:
            state: State dict with published keys, without a `module.` prefix.
            model: Model that the state dict is meant for; not needed by this layout.

        Raises:
            ValueError: A key is unknown, or the copies of a shared head differ.
        """
        ours = {}
        for key, value in state.items():
            if copy := _COPY.fullmatch(key):
                original = f"head.{copy[1]}.0.{copy[3]}"
                # If the original is absent, loading reports the missing key.
                if original in state and not torch.equal(value, state[original]):
                    raise ValueError(
                        f"{key} must equal {original}, because they are the same module, got "
                        "different values; use the published checkpoint unchanged"
                    )
            elif not is_unused(key):
                ours[TABLE.our_name(key)] = value
        return fuse_qkv(ours)

    def to_published(
        self, state: Mapping[str, Tensor], model: nn.Module | None = None
    ) -> StateDict:
        """Rename one of our state dicts to the published layout, including copies of the heads.

        Args:
            state: State dict of an `InstanceVG`.
            model: Model that the state dict belongs to; not needed by this layout.

        Returns:
            Tensors that share no memory with each other, as safetensors requires.

        Raises:
            ValueError: A key has no published counterpart.
        """
        published = {}
        num_layers = len({key.split(".")[2] for key in state if key.startswith("decoder.layers.")})
        for key, value in split_qkv(state).items():
            name = TABLE.published_name(key)
            published[name] = value
            for layer in range(1, num_layers):
                for head in ("class_embed", "bbox_embed"):
                    if name.startswith(f"head.{head}.0."):
                        published[name.replace(".0.", f".{layer}.", 1)] = value.clone()
        return published


LAYOUT = InstanceVGLayout()
