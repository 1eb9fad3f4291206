"""The two forms in which a model with LoRA is handed on: merged, or the adapter by itself."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vgtoolbox.checkpoint.io import CheckpointError
from vgtoolbox.checkpoint.layouts import recognise
from vgtoolbox.checkpoint.lora import LANGUAGE_MODEL, has_lora, merged_lora
from vgtoolbox.checkpoint.strict import load_state_dict_strict
from vgtoolbox.engine.config import ConfigError
from vgtoolbox.registry import MODELS

Config = dict[str, Any]


def merged_weights(
    state: Mapping[str, Tensor], config: Mapping[str, Any]
) -> tuple[dict[str, Tensor], Config]:
    """Merge LoRA.

    Args:
        state: Of ours, or of a published folder.
        config: Of the model that it is of.

    Returns:
        The weights, and the config without LoRA.

    Raises:
        CheckpointError: There is no LoRA to merge.
        ConfigError: The config does not say how it is scaled.
    """
    if not has_lora(state):
        raise CheckpointError("the checkpoint has no LoRA, so there is nothing to merge")
    merged_config = copy.deepcopy(dict(config))
    lora = merged_config["model"]["mllm"].pop("lora", None)
    if recognise(state.keys()) is not None:
        model = MODELS.build(merged_config["model"])
        load_state_dict_strict(model, state)
        return model.state_dict(), merged_config
    if lora is None:
        raise ConfigError("the config has no model.mllm.lora, so alpha / rank is not known")
    return merged_lora(state, lora["alpha"] / lora["rank"]), merged_config


def adapter_weights(state: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return what of a checkpoint of ours was trained: LoRA, what is unfrozen, and the other parts.

    Raises:
        CheckpointError: There is no LoRA.
        ConfigError: The config does not say what it stands on.
    """
    if not has_lora(state):
        raise CheckpointError("the checkpoint has no LoRA: all of its weights are needed")
    if not config["model"]["mllm"].get("pretrained"):
        raise ConfigError(
            "model.mllm.pretrained does not name a folder, so an adapter would have nothing to "
            "stand on; merge it instead"
        )
    with torch.device("meta"):
        model = MODELS.build(config["model"])
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    kept = {key: value for key, value in state.items() if key not in frozen}
    return {
        key: v
        for key, v in kept.items()
        if not key.startswith(LANGUAGE_MODEL) or _moves(key, model)
    }


def _moves(key: str, model: Any) -> bool:
    """Whether an entry below the adapter holds anything that is trained."""
    module = model.get_submodule(key.rpartition(".")[0])
    return any(parameter.requires_grad for parameter in module.parameters(recurse=False))
