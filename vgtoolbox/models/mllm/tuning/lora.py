"""LoRA by peft, put into a model in place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn


def add_lora(
    model: nn.Module,
    *,
    prefix: str,
    targets: Sequence[str],
    rank: int,
    alpha: int,
    dropout: float = 0.0,
) -> None:
    """Wrap linear layers of `model` by LoRA, whose weights are the only trainable ones afterwards.

    Args:
        model: Changed in place.
        prefix: Regular expression of the path below which layers are taken.
        targets: Names of the layers, e.g. "q_proj".
        rank: r.
        alpha: LoRA is scaled by alpha / r.
        dropout: Of what LoRA reads.

    Raises:
        ImportError: peft is not installed.
        ValueError: No layer has such a name.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError("LoRA needs peft: pip install 'vgtoolbox[mllm]'") from error
    pattern = rf"{prefix}(.*\.)?({'|'.join(targets)})"
    config: Any = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=pattern, bias="none"
    )
    inject_adapter_in_model(config, model)
