"""Configuration of a language model, from a published `config.json` to that of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vgtoolbox.utils.choices import check_choice

# InternLM2 is Llama with fused projections, which `checkpoint.layouts.internvl` splits.
_TEXT_FAMILIES = {"internlm2": "llama", "llama": "llama", "qwen2": "qwen2"}
_TEXT_KEYS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
    "rms_norm_eps",
    "initializer_range",
    "hidden_act",
)


def native_text_config(published: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the language model's part of a published `config.json`.

    Args:
        published: Keys of the published file; `model_type` is "internlm2", "llama" or "qwen2".

    Returns:
        Keys of the configuration of transformers, with `model_type` "llama" or "qwen2".

    Raises:
        ValueError: The family or the scaling of rotary positions is not supported.
    """
    check_choice("model_type of text_config", published["model_type"], _TEXT_FAMILIES)
    family = _TEXT_FAMILIES[published["model_type"]]
    config = {key: published[key] for key in _TEXT_KEYS if key in published}
    config |= {"model_type": family, "tie_word_embeddings": False, "use_cache": True}
    config["rope_parameters"] = _rope(published)
    if published["model_type"] == "internlm2" and published.get("bias", False):
        config["attention_bias"] = True
    return config


def _rope(published: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rotary parameters; dynamic scaling has no effect within the trained length."""
    rope: dict[str, Any] = {
        "rope_type": "default",
        "rope_theta": float(published.get("rope_theta", 10000.0)),
    }
    scaling = published.get("rope_scaling")
    if scaling:
        kind = scaling.get("type", scaling.get("rope_type"))
        check_choice("type of rope_scaling", kind, ("dynamic", "linear"))
        rope |= {"rope_type": kind, "factor": float(scaling["factor"])}
    return rope
