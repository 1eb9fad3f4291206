"""Merge LoRA into the weights of a checkpoint, or extract the adapter alone."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vgtoolbox.checkpoint.io import CheckpointError
from vgtoolbox.checkpoint.layouts import recognize_layout
from vgtoolbox.checkpoint.lora import has_lora, merged_lora
from vgtoolbox.checkpoint.prefixes import ADAPTER_PREFIX
from vgtoolbox.checkpoint.strict import load_state_dict_strict
from vgtoolbox.engine.config import ConfigError
from vgtoolbox.registry import MODELS

Config = dict[str, Any]


def merge_lora_weights(
    state: Mapping[str, Tensor], config: Mapping[str, Any]
) -> tuple[dict[str, Tensor], Config]:
    """Merge LoRA into the weights that it adapts.

    Args:
        state: State dict in our layout or in that of a published folder.
        config: Config of the model that the state dict belongs to.

    Returns:
        The merged weights, and the config without LoRA.

    Raises:
        CheckpointError: The checkpoint has no LoRA.
        ConfigError: The config does not define the scale of LoRA.
    """
    if not has_lora(state):
        raise CheckpointError("the checkpoint has no LoRA, so there is nothing to merge")
    _check_config(config)
    merged_config = copy.deepcopy(dict(config))
    lora = merged_config["model"]["mllm"].pop("lora", None)
    if recognize_layout(state.keys()) is not None:
        model = MODELS.build(merged_config["model"])
        load_state_dict_strict(model, state)
        return model.state_dict(), merged_config
    if lora is None:
        raise ConfigError("the config has no model.mllm.lora, so the scale alpha / rank is unknown")
    try:
        return merged_lora(state, lora["alpha"] / lora["rank"]), merged_config
    except Exception as error:  # the shapes and keys of an unknown file can be anything
        raise CheckpointError(
            f"the LoRA of the checkpoint can't be merged ({type(error).__name__}: {error}); use "
            "the checkpoint and the config of the same training"
        ) from error


def _check_config(config: Mapping[str, Any]) -> None:
    model = config.get("model")
    if not isinstance(model, Mapping) or not isinstance(model.get("mllm"), Mapping):
        raise ConfigError(
            "the config must have a section model.mllm, in which LoRA is, got none; pass the "
            "config that the checkpoint was trained with"
        )


def extract_adapter_weights(
    state: Mapping[str, Tensor], config: Mapping[str, Any]
) -> dict[str, Tensor]:
    """Return the trained entries of a checkpoint: LoRA, unfrozen weights and all other parts.

    Args:
        state: State dict in our layout.
        config: Config of the model that the state dict belongs to.

    Raises:
        CheckpointError: The checkpoint has no LoRA.
        ConfigError: The config does not name the pretrained weights that LoRA adapts.
    """
    if not has_lora(state):
        raise CheckpointError("the checkpoint has no LoRA, so all of its weights are needed")
    _check_config(config)
    if not config["model"]["mllm"].get("pretrained"):
        raise ConfigError(
            "model.mllm.pretrained must name the folder of the pretrained weights that the "
            "adapter is loaded on, got none; merge the adapter instead"
        )
    with torch.device("meta"):
        model = MODELS.build(config["model"])
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    kept = {key: value for key, value in state.items() if key not in frozen}
    return {
        key: v
        for key, v in kept.items()
        if not key.startswith(ADAPTER_PREFIX) or _is_trained(key, model)
    }


def _is_trained(key: str, model: Any) -> bool:
    """Return whether the module of an entry has trained parameters."""
    module = model.get_submodule(key.rpartition(".")[0])
    return any(parameter.requires_grad for parameter in module.parameters(recurse=False))
