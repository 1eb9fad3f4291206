"""A published language model as the beginning of training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts import internvl
from vgtoolbox.checkpoint.lora import LORA_SUFFIXES
from vgtoolbox.checkpoint.sharded import ShardedState, load_streaming
from vgtoolbox.models.mllm.tuning.new_rows import extend_rows

if TYPE_CHECKING:
    from vgtoolbox.models.mllm.model import MLLM

_OUTPUT = "adapter.model.lm_head.weight"
_INPUT = "adapter.model.model.language_model.embed_tokens.weight"


def load_pretrained(mllm: MLLM, folder: str | Path) -> None:
    """Load the published weights of an `MLLM`, and begin the rows of its new tokens.

    Args:
        mllm: On InternVL; its LoRA keeps the values that it has.
        folder: A published InternVL.

    Raises:
        FileNotFoundError: The folder has no weights.
        ValueError: They are not those of this model; the message names what is missing.
    """
    state = ShardedState(folder)
    rows = len(mllm.adapter.model.get_output_embeddings().weight)
    found: set[str] = set()

    def convert(key: str, value: Tensor, model: nn.Module) -> dict[str, Tensor]:
        head_dim, group = internvl.head_shape(model)
        parts = internvl.convert(key, value, head_dim=head_dim, group=group)
        if parts is None:
            raise ValueError(f"{folder}: {key} is no key of {internvl.NAME}")
        ours = {name.removeprefix("mllm."): part for name, part in parts.items()}
        for name, is_output in ((_INPUT, False), (_OUTPUT, True)):
            if name in ours:
                ours[name] = extend_rows(ours[name], rows, output=is_output)
        found.update(ours)
        return ours

    load_streaming(mllm, state, convert=convert, scaling=1.0)
    expected = {
        name.replace(".base_layer.", ".")
        for name in mllm.state_dict()
        if not name.endswith(LORA_SUFFIXES)
    }
    missing = sorted(expected - found)
    if missing:
        raise ValueError(f"{folder} lacks {len(missing)} weights of the model: {missing[:5]}")
