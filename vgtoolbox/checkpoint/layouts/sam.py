"""Key layout of Meta's SAM, e.g. `sam_vit_h_4b8939.pth`, which the LISA family contains."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts.base import StateDict, StreamingLayout
from vgtoolbox.checkpoint.rename import RenameTable

NAME = "Meta's SAM"

_ENCODER = ("image_encoder.", "image_encoder.encoder.")
_PROMPTS = ("prompt_encoder.", "prompt_encoder.encoder.")
_DECODER = ("mask_decoder.", "mask_decoder.decoder.")


def _rows(prefix: tuple[str, str], rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    published, ours = prefix
    return [(published + a, ours + b) for a, b in rows]


def _mlp(name: str) -> list[tuple[str, str]]:
    """Return the rows of a perceptron of three layers."""
    return [
        (f"{name}.layers.0.{{rest}}", f"{name}.proj_in.{{rest}}"),
        (f"{name}.layers.1.{{rest}}", f"{name}.layers.0.{{rest}}"),
        (f"{name}.layers.2.{{rest}}", f"{name}.proj_out.{{rest}}"),
    ]


SAM_ROWS = [
    *_rows(
        _ENCODER,
        [
            ("patch_embed.proj.{rest}", "patch_embed.projection.{rest}"),
            ("blocks.{i}.norm{j}.{rest}", "layers.{i}.layer_norm{j}.{rest}"),
            ("blocks.{i}.{rest}", "layers.{i}.{rest}"),
            ("neck.0.{rest}", "neck.conv1.{rest}"),
            ("neck.1.{rest}", "neck.layer_norm1.{rest}"),
            ("neck.2.{rest}", "neck.conv2.{rest}"),
            ("neck.3.{rest}", "neck.layer_norm2.{rest}"),
            ("pos_embed", "pos_embed"),
        ],
    ),
    *_rows(
        _PROMPTS,
        [
            (
                "pe_layer.positional_encoding_gaussian_matrix",
                "shared_embedding.positional_embedding",
            ),
            ("point_embeddings.{i}.{rest}", "point_embed.{i}.{rest}"),
            ("not_a_point_embed.{rest}", "not_a_point_embed.{rest}"),
            ("no_mask_embed.{rest}", "no_mask_embed.{rest}"),
            ("mask_downscaling.0.{rest}", "mask_embed.conv1.{rest}"),
            ("mask_downscaling.1.{rest}", "mask_embed.layer_norm1.{rest}"),
            ("mask_downscaling.3.{rest}", "mask_embed.conv2.{rest}"),
            ("mask_downscaling.4.{rest}", "mask_embed.layer_norm2.{rest}"),
            ("mask_downscaling.6.{rest}", "mask_embed.conv3.{rest}"),
        ],
    ),
    *_rows(
        _DECODER,
        [
            (
                "transformer.layers.{i}.norm{j}.{rest}",
                "transformer.layers.{i}.layer_norm{j}.{rest}",
            ),
            ("transformer.norm_final_attn.{rest}", "transformer.layer_norm_final_attn.{rest}"),
            ("transformer.{rest}", "transformer.{rest}"),
            ("iou_token.{rest}", "iou_token.{rest}"),
            ("mask_tokens.{rest}", "mask_tokens.{rest}"),
            ("output_upscaling.0.{rest}", "upscale_conv1.{rest}"),
            ("output_upscaling.1.{rest}", "upscale_layer_norm.{rest}"),
            ("output_upscaling.3.{rest}", "upscale_conv2.{rest}"),
            *_mlp("output_hypernetworks_mlps.{i}"),
            *_mlp("iou_prediction_head"),
        ],
    ),
]
"""Rows from SAM's names to those of a grounder with the parts of SAM."""

TABLE = RenameTable(SAM_ROWS, name=NAME)
_UNUSED = ("pixel_mean", "pixel_std")


class SAMLayout(StreamingLayout):
    """Layout of a SAM checkpoint: `image_encoder`, `prompt_encoder` and `mask_decoder`."""

    name: ClassVar[str] = NAME

    def matches(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a SAM checkpoint."""
        wanted = {"image_encoder.neck.0.weight", "mask_decoder.iou_token.weight"}
        return wanted <= set(keys)

    def convert(self, key: str, value: Tensor, model: nn.Module | None) -> StateDict:
        """Rename one published tensor; the normalization, which is part of configs, is dropped."""
        return {} if key in _UNUSED else {TABLE.our_name(key): value}

    def to_ours(self, state: StateDict, model: nn.Module | None = None) -> StateDict:
        """Rename the published entries.

        Args:
            state: State dict with published keys.
            model: Model that the state dict is meant for; not needed.

        Raises:
            ValueError: A key is unknown.
        """
        ours: StateDict = {}
        for key, value in state.items():
            ours |= self.convert(key, value, model)
        return ours

    def to_published(
        self, state: Mapping[str, Tensor], model: nn.Module | None = None
    ) -> StateDict:
        """Rename our entries below `image_encoder.`, `prompt_encoder.` and `mask_decoder.`.

        Args:
            state: State dict of a model with the parts of SAM; other entries are dropped.
            model: Model that the state dict belongs to; not needed.
        """
        parts = (_ENCODER[1], _PROMPTS[1], _DECODER[1])
        return {
            TABLE.published_name(key): value
            for key, value in state.items()
            if key.startswith(parts)
        }


LAYOUT = SAMLayout()
