"""Key layout of the published MLLMSeg checkpoints, merged or with LoRA."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts.base import StateDict
from vgtoolbox.checkpoint.layouts.internvl import (
    PREFIX,
    InternVLLayout,
    convert_tensor,
    has_internvl,
    head_shape,
)
from vgtoolbox.checkpoint.lora import fit_lora
from vgtoolbox.checkpoint.rename import RenameTable

NAME = "the published MLLMSeg"

_HEAD = "res_decoder."


def _attend(published: str, ours: str) -> list[tuple[str, str]]:
    """Return the rows of a decoder layer with its final norm."""
    return [
        (f"{_HEAD}{published}.decoder.layers.0.{{rest}}", f"{ours}.layer.{{rest}}"),
        (f"{_HEAD}{published}.decoder.norm.{{rest}}", f"{ours}.norm.{{rest}}"),
    ]


TABLE = RenameTable(
    [
        (_HEAD + "img_llm_down.{rest}", "fusion.semantic_proj.{rest}"),
        (_HEAD + "text_out_adapter.{rest}", "fusion.mix.{rest}"),
        (_HEAD + "upsample_adapter_l.{rest}", "fusion.upsample.{rest}"),
        *_attend("ca_layer_v2l", "fusion.detail"),
        (_HEAD + "text_down.{rest}", "decoder.text_proj.{rest}"),
        *_attend("ca_layer_vl", "decoder.attend"),
        (_HEAD + "conv1.{rest}", "decoder.unfold.{rest}"),
        (_HEAD + "conv2.{rest}", "decoder.refine.{rest}"),
    ],
    name=NAME,
)


class MLLMSegLayout(InternVLLayout):
    """Layout of a published MLLMSeg, merged or with LoRA: that of InternVL and a decoder."""

    name: ClassVar[str] = NAME
    # alpha / r of every published recipe; the config.json of a checkpoint has the rank alone.
    lora_scaling: ClassVar[float] = 2.0

    def matches(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a published MLLMSeg checkpoint."""
        return has_internvl(keys) and _HEAD + "text_down.weight" in set(keys)

    def matches_ours(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of an `MLLMSeg` on InternVL."""
        ours = {"fusion.mix.weight", "decoder.text_proj.weight"}
        return ours <= set(keys) and any(key.startswith(PREFIX) for key in keys)

    def convert(self, key: str, value: Tensor, model: nn.Module | None) -> StateDict:
        """Convert one published tensor to one of ours, or to the three that it fuses."""
        head_dim, group = head_shape(model)
        ours = convert_tensor(key, value, head_dim=head_dim, group=group)
        return {TABLE.our_name(key): value} if ours is None else ours

    def to_ours(self, state: StateDict, model: nn.Module | None = None) -> StateDict:
        """Rename and split a published state dict; LoRA is merged if `model` has none.

        Args:
            state: State dict with published keys.
            model: `MLLMSeg` that the state dict is meant for; it determines the shape of the heads.

        Raises:
            ValueError: A key is unknown, or `model` is `None` or has no language model.
        """
        ours = super().to_ours(state, model)
        return ours if model is None else fit_lora(ours, model, scaling=self.lora_scaling)

    def to_published(
        self, state: Mapping[str, Tensor], model: nn.Module | None = None
    ) -> StateDict:
        """Rename and fuse the state dict of an `MLLMSeg` in its present form (merged or LoRA).

        Args:
            state: State dict of an `MLLMSeg`.
            model: Model that the state dict belongs to. If `None`, the language model must be Qwen2
                or have the width of a published InternLM2.

        Raises:
            ValueError: A key has no published counterpart, LoRA of q, k and v differs, or the model
                is needed.
        """
        published = super().to_published(state, model)
        for key, value in state.items():
            if not key.startswith(PREFIX):
                published[TABLE.published_name(key)] = value
        return published


LAYOUT = MLLMSegLayout()
