"""Loading of a published language model as the start of training."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from vgtoolbox.checkpoint.lora import LORA_SUFFIXES
from vgtoolbox.checkpoint.prefixes import ADAPTER_PREFIX
from vgtoolbox.checkpoint.sharded import ShardedState, load_streaming
from vgtoolbox.models.mllm.adapters.base import MultimodalAdapter
from vgtoolbox.models.mllm.tuning.new_rows import extend_rows


def load_pretrained(adapter: MultimodalAdapter, folder: str | Path) -> None:
    """Load the published weights of a language model, and initialize the rows of new tokens.

    Args:
        adapter: Adapter whose weights are overwritten; its LoRA keeps its values.
        folder: Published folder in the adapter's layout.

    Raises:
        FileNotFoundError: The folder has no weights.
        ValueError: The weights do not belong to this model; the message names missing ones.
    """
    state = ShardedState(folder)
    model, layout = adapter.model, adapter.layout
    rows = len(model.get_output_embeddings().weight)
    is_output = {
        _weight_name(adapter, model.get_input_embeddings()): False,
        _weight_name(adapter, model.get_output_embeddings()): True,
    }
    found: set[str] = set()

    def convert(key: str, value: Tensor, module: nn.Module) -> dict[str, Tensor]:
        try:
            parts = layout.convert(key, value, module)
        except ValueError as error:
            raise ValueError(f"{folder}: {error}") from error
        ours = {name.removeprefix(ADAPTER_PREFIX): part for name, part in parts.items()}
        for name in is_output.keys() & ours.keys():
            ours[name] = extend_rows(ours[name], rows, output=is_output[name])
        found.update(ours)
        return ours

    load_streaming(adapter, state, convert=convert, scaling=1.0)
    expected = {
        name.replace(".base_layer.", ".")
        for name in adapter.state_dict()
        if not name.endswith(LORA_SUFFIXES)
    }
    missing = sorted(expected - found)
    if missing:
        raise ValueError(
            f"{folder} must have all weights of the model, got none for {len(missing)} of them: "
            f"{missing[:5]}; use the published folder of the configured language model"
        )


def _weight_name(adapter: nn.Module, embeddings: nn.Module) -> str:
    """Return the name that the weight of one of the embeddings has in the adapter."""
    names = (name for name, module in adapter.named_modules() if module is embeddings)
    return next(names) + ".weight"
