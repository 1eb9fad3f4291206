"""LoRA layers of peft, added to a model in place."""

from __future__ import annotations

import re
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
        model: Model, which is changed in place.
        prefix: Regular expression of the path below which layers are wrapped.
        targets: Names of the layers, e.g. "q_proj".
        rank: Rank r.
        alpha: Numerator of the scale alpha / r.
        dropout: Dropout probability of the input of LoRA.

    Raises:
        ImportError: peft is not installed.
        ValueError: No layer has one of the names.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise ImportError(
            "mllm.lora needs peft, which is not installed; pip install 'vgtoolbox[mllm]'"
        ) from error
    pattern = rf"{prefix}(.*\.)?({'|'.join(map(re.escape, targets))})"
    config: Any = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=pattern, bias="none"
    )
    inject_adapter_in_model(config, model)
