"""Merging of LoRA in state dicts, and fitting of checkpoints to models with or without LoRA.

The names are those of peft: `X.base_layer.weight`, `X.lora_A.default.weight` (r, in) and
`X.lora_B.default.weight` (out, r) for a wrapped layer, `X.weight` for another one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from vgtoolbox.checkpoint.prefixes import ADAPTER_PREFIX

_BASE = ".base_layer."
_A, _B = ".lora_A.default.weight", ".lora_B.default.weight"
LORA_SUFFIXES = (_A, _B)


def has_lora(keys: Collection[str]) -> bool:
    """Return whether the keys include LoRA."""
    return any(key.endswith(_A) for key in keys)


def has_language_model(keys: Collection[str]) -> bool:
    """Return whether the keys are those of a grounder of ours with a language model."""
    return any(key.startswith(ADAPTER_PREFIX) for key in keys)


def is_adapter_only(keys: Collection[str]) -> bool:
    """Return whether the keys include LoRA without the layers that it adapts."""
    return has_lora(keys) and not any(_BASE in key for key in keys)


def merged_lora(state: Mapping[str, Tensor], scaling: float) -> dict[str, Tensor]:
    """Return the state dict with `W + scaling * B A` in place of each wrapped layer.

    Args:
        state: State dict with or without LoRA; without it, a copy is returned.
        scaling: Scale alpha / r.

    Raises:
        ValueError: The layer of some LoRA is missing.
    """
    merged = {}
    for key, value in state.items():
        if key.endswith((_A, _B)):
            layer = key.removesuffix(_A).removesuffix(_B)
            if layer + ".base_layer.weight" not in state:
                raise ValueError(f"{key}: the layer that it adapts is missing; give its base model")
            continue
        if not key.endswith(".base_layer.weight"):
            merged[key.replace(_BASE, ".")] = value
            continue
        layer = key.removesuffix(".base_layer.weight")
        # In single precision, because B A in bfloat16 rounds small learned differences away.
        delta = state[layer + _B].float() @ state[layer + _A].float()
        merged[layer + ".weight"] = (value.float() + scaling * delta).to(value.dtype)
    return merged


def fit_lora(
    state: Mapping[str, Tensor], model: nn.Module, *, scaling: float | None = None
) -> dict[str, Tensor]:
    """Convert a state dict to the form of `model`: merged, or wrapped by LoRA.

    Args:
        state: State dict with our names.
        model: Model to fit. If it has no LoRA, that of the checkpoint is merged. If only the model
            has LoRA, its own is used, which must not have been trained.
        scaling: Scale alpha / r of the LoRA in the checkpoint. If `None`, that of the model is
            used.

    Raises:
        ValueError: The scales differ, or the LoRA of the model has been trained.
    """
    wanted = model.state_dict()
    if not has_lora(wanted):
        if has_lora(state) and scaling is None:
            raise ValueError(
                "the config must define LoRA for a checkpoint with LoRA, got none, so its alpha "
                "/ r is unknown; merge it with the config that it was trained with "
                "(tools/merge_lora.py)"
            )
        return merged_lora(state, scaling or 0.0)
    if has_lora(state):
        _check_scaling(model, scaling)
        return _on_base(state, model) if is_adapter_only(state) else dict(state)
    fitted = dict(state)
    for key, value in wanted.items():
        if key.endswith((_A, _B)):
            if key.endswith(_B) and bool(value.count_nonzero()):
                raise ValueError(
                    f"{key} must be 0 to load a checkpoint without LoRA, got trained values; load "
                    "into a new model"
                )
            fitted[key] = value
        elif _BASE in key and key.replace(_BASE, ".") in fitted:
            fitted[key] = fitted.pop(key.replace(_BASE, "."))
    return fitted


def _on_base(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Add the frozen weights of the base model to the state dict of an adapter."""
    for module in model.modules():
        load_base = getattr(module, "load_base", None)
        if load_base is not None:
            load_base()
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    base = {key: value for key, value in model.state_dict().items() if key in frozen}
    return base | dict(state)


def model_scaling(model: nn.Module) -> float | None:
    """Return alpha / r of the LoRA in a model, or `None` if it has no LoRA."""
    for module in model.modules():
        scaling = getattr(module, "scaling", None)
        if isinstance(scaling, dict) and "default" in scaling:
            return float(scaling["default"])
    return None


def _check_scaling(model: nn.Module, scaling: float | None) -> None:
    found = model_scaling(model)
    if (
        scaling is not None
        and found is not None
        and not torch.tensor(found).allclose(torch.tensor(scaling))
    ):
        raise ValueError(
            f"alpha / r of the config must be that of the checkpoint, {scaling:g}, got {found:g}; "
            f"set mllm.lora.alpha to {scaling:g} times the rank"
        )
