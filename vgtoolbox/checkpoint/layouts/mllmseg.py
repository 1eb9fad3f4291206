"""The key layout of the published MLLMSeg checkpoints, merged or with their LoRA."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts import internvl
from vgtoolbox.checkpoint.layouts.base import Layout, StateDict
from vgtoolbox.checkpoint.lora import fit_lora
from vgtoolbox.checkpoint.rename import RenameTable

NAME = "the published MLLMSeg"
LORA_SCALING = 2.0
"""alpha / r of every published recipe; a checkpoint's own config.json has the rank alone."""

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


def matches(keys: Collection[str]) -> bool:
    """Whether the keys are those of a published MLLMSeg checkpoint."""
    return internvl.has_internvl(keys) and _HEAD + "text_down.weight" in set(keys)


def matches_ours(keys: Collection[str]) -> bool:
    """Whether the keys are those of an `MLLMSeg` on InternVL."""
    ours = {"fusion.mix.weight", "decoder.text_proj.weight"}
    return ours <= set(keys) and any(key.startswith(internvl.PREFIX) for key in keys)


def convert(key: str, value: Tensor, *, head_dim: int, group: int) -> StateDict:
    """Turn one published tensor into one or three of ours; arguments as `internvl.convert`.

    Raises:
        ValueError: The key is unknown.
    """
    parts = internvl.convert(key, value, head_dim=head_dim, group=group)
    if parts is not None:
        return parts
    return {TABLE.our_name(key): value}


def _convert_for(key: str, value: Tensor, model: nn.Module) -> StateDict:
    head_dim, group = internvl.head_shape(model)
    return convert(key, value, head_dim=head_dim, group=group)


def to_ours(state: StateDict, model: nn.Module | None) -> StateDict:
    """Rename and split a published state dict; LoRA is merged where `model` has none.

    Args:
        state: Published keys.
        model: An `MLLMSeg`, which knows its attention heads.

    Raises:
        ValueError: A key is unknown, or there is no model.
    """
    head_dim, group = internvl.head_shape(model)
    ours: StateDict = {}
    for key, value in state.items():
        ours |= convert(key, value, head_dim=head_dim, group=group)
    return ours if model is None else fit_lora(ours, model, scaling=LORA_SCALING)


def to_published(state: Mapping[str, Tensor], model: nn.Module | None = None) -> StateDict:
    """Rename and fuse the state dict of an `MLLMSeg`, in the form that it has (merged or LoRA).

    Arguments are those of `internvl.to_published`.

    Raises:
        ValueError: A key has no published counterpart, LoRA does not fit, or the model is needed.
    """
    published = internvl.to_published(state, model)
    for key, value in state.items():
        if key.startswith(internvl.PREFIX):
            continue
        published[TABLE.published_name(key)] = value
    return published


LAYOUT = Layout(
    name=NAME,
    matches=matches,
    to_ours=to_ours,
    matches_ours=matches_ours,
    to_published=to_published,
    convert=_convert_for,
    lora_scaling=LORA_SCALING,
)
