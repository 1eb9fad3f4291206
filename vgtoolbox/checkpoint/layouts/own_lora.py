"""Checkpoints of our own language models: their LoRA merged, apart, or all that is stored."""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from vgtoolbox.checkpoint.layouts.base import Layout, StateDict
from vgtoolbox.checkpoint.lora import fit_lora

PREFIX = "mllm.adapter."


def matches(keys: Collection[str]) -> bool:
    """Whether the keys are those of a grounder with a language model."""
    return any(key.startswith(PREFIX) for key in keys)


def to_ours(state: StateDict, model: nn.Module | None) -> StateDict:
    """Bring the state dict to the form of `model`: with LoRA, or without."""
    return state if model is None else fit_lora(state, model)


LAYOUT = Layout(name="vgtoolbox", matches=matches, to_ours=to_ours)
