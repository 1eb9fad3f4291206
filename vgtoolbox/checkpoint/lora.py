"""LoRA in state dicts: merging it, and fitting a checkpoint to a model with or without it.

The names are peft's: `X.base_layer.weight`, `X.lora_A.default.weight` (r, in) and
`X.lora_B.default.weight` (out, r) where a layer is wrapped, `X.weight` where it is not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

_BASE = ".base_layer."
_A, _B = ".lora_A.default.weight", ".lora_B.default.weight"
LORA_SUFFIXES = (_A, _B)
LANGUAGE_MODEL = "mllm.adapter."
"""Below which a grounder of ours keeps its language model."""


def has_lora(keys: Collection[str]) -> bool:
    """Whether the keys hold LoRA."""
    return any(key.endswith(_A) for key in keys)


def has_language_model(keys: Collection[str]) -> bool:
    """Whether the keys are ours and those of a grounder with a language model."""
    return any(key.startswith(LANGUAGE_MODEL) for key in keys)


def is_adapter_only(keys: Collection[str]) -> bool:
    """Whether the keys hold LoRA without the layers that it adapts."""
    return has_lora(keys) and not any(_BASE in key for key in keys)


def merged_lora(state: Mapping[str, Tensor], scaling: float) -> dict[str, Tensor]:
    """Return the state dict with `W + scaling * B A` in place of each wrapped layer.

    Args:
        state: Wrapped, or not, in which case it is returned as it is.
        scaling: alpha / r.

    Raises:
        ValueError: LoRA without its layer.
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
        # In single precision: B A of bfloat16 loses what LoRA learnt in small steps.
        delta = state[layer + _B].float() @ state[layer + _A].float()
        merged[layer + ".weight"] = (value.float() + scaling * delta).to(value.dtype)
    return merged


def fit_lora(
    state: Mapping[str, Tensor], model: nn.Module, *, scaling: float | None = None
) -> dict[str, Tensor]:
    """Bring a state dict to the form that `model` has: merged, or wrapped by LoRA.

    Args:
        state: In our names.
        model: Without LoRA, that of the checkpoint is merged. With LoRA, a checkpoint without gets
            the model's own, which must not have been trained.
        scaling: alpha / r of the checkpoint's LoRA; None takes the model's.

    Raises:
        ValueError: The scalings differ, or the model's LoRA has been trained.
    """
    wanted = model.state_dict()
    if not has_lora(wanted):
        if has_lora(state) and scaling is None:
            raise ValueError(
                "the checkpoint has LoRA and the config has none, so its alpha / r is not known; "
                "merge it with the config that it was trained with (tools/merge_lora.py)"
            )
        return merged_lora(state, scaling or 0.0)
    if has_lora(state):
        _check_scaling(model, scaling)
        return _on_base(state, model) if is_adapter_only(state) else dict(state)
    fitted = dict(state)
    for key, value in wanted.items():
        if key.endswith((_A, _B)):
            if key.endswith(_B) and bool(value.count_nonzero()):
                raise ValueError(f"{key} has been trained; load into a model that is new")
            fitted[key] = value
        elif _BASE in key and key.replace(_BASE, ".") in fitted:
            fitted[key] = fitted.pop(key.replace(_BASE, "."))
    return fitted


def _on_base(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Add to an adapter by itself the frozen weights that it stands on."""
    for module in model.modules():
        load_base = getattr(module, "load_base", None)
        if load_base is not None:
            load_base()
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    base = {key: value for key, value in model.state_dict().items() if key in frozen}
    return base | dict(state)


def model_scaling(model: nn.Module) -> float | None:
    """Return alpha / r of the LoRA in a model; None where it has none."""
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
            f"LoRA of the checkpoint is scaled by alpha / r = {scaling:g}, that of the config by "
            f"{found:g}; set alpha to {scaling:g} times the rank"
        )
