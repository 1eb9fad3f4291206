"""Loading of a published language model as the start of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts import StreamingLayout, recognize_layout
from vgtoolbox.checkpoint.lora import LORA_SUFFIXES
from vgtoolbox.checkpoint.prefixes import ADAPTER_PREFIX
from vgtoolbox.checkpoint.sharded import ShardedState, load_streaming
from vgtoolbox.models.mllm.adapters.base import MultimodalAdapter
from vgtoolbox.models.mllm.tuning.new_rows import extend_rows

VISION_TOWER = ".vision_tower."
"""Part of the names of the weights of the vision tower."""


def load_pretrained(adapter: MultimodalAdapter, folders: Sequence[str | Path]) -> None:
    """Load the published weights of a language model, and initialize the rows of new tokens.

    Args:
        adapter: Adapter whose weights are overwritten; its LoRA keeps its values.
        folders: Published folders in layouts of the adapter. A weight that is in several of them is
            taken from the last one.

    Raises:
        FileNotFoundError: A folder has no weights.
        ValueError: The weights do not belong to this model; the message names missing ones.
    """
    model = adapter.model
    rows = len(model.get_output_embeddings().weight)
    is_output = {
        _weight_name(adapter, model.get_input_embeddings()): False,
        _weight_name(adapter, model.get_output_embeddings()): True,
    }
    found: set[str] = set()
    shapes = {
        name.replace(".base_layer.", "."): value.shape
        for name, value in adapter.state_dict().items()
        if not name.endswith(LORA_SUFFIXES)
    }
    for folder in folders:
        state = ShardedState(folder)
        layout = recognize_layout(state, adapter.layouts) or adapter.layouts[0]
        assert isinstance(layout, StreamingLayout)
        convert = _Converter(folder, layout, is_output, rows, found, shapes)
        load_streaming(adapter, state, convert=convert, scaling=1.0)
    missing = sorted(shapes.keys() - found)
    if missing:
        raise ValueError(
            f"{', '.join(map(str, folders))} must have all weights of the model, got none for "
            f"{len(missing)} of them: {missing[:5]}; use the published folder of the configured "
            f"language model{_vision_hint(missing)}"
        )


def load_vision_tower(adapter: MultimodalAdapter, folders: Sequence[str | Path]) -> None:
    """Load the vision tower alone, for a checkpoint that lacks it.

    Args:
        adapter: Adapter whose vision tower is overwritten.
        folders: Published folders; the last one that has a vision tower is used, and others need
            not exist.

    Raises:
        ValueError: No folder has the vision tower, or it has another size.
    """
    names = [name for name in adapter.state_dict() if VISION_TOWER in name]
    for folder in reversed(folders):
        if not Path(folder).is_dir():
            continue
        state = ShardedState(folder)
        layout = recognize_layout(state, adapter.layouts)
        if not isinstance(layout, StreamingLayout):
            continue
        shapes = {name: adapter.state_dict()[name].shape for name in names}
        convert = _Converter(folder, layout, {}, 0, set(), shapes)
        loaded: dict[str, Tensor] = {}
        for key in state:
            ours = layout.convert(key, torch.empty(0), adapter)
            if any(VISION_TOWER in name for name in ours):
                loaded |= convert(key, state[key], adapter)
        if set(names) <= set(loaded):
            adapter.load_state_dict(loaded, strict=False)
            return
    raise ValueError(
        "mllm.pretrained must name the folder of the vision tower, which the checkpoint lacks, got "
        f"{', '.join(map(str, folders)) or 'none'}; download it, or set mllm.pretrained to it"
    )


@dataclass(frozen=True)
class _Converter:
    """Converter of the tensors of a folder to those of an adapter, which notes what it converts."""

    folder: str | Path
    layout: StreamingLayout
    is_output: dict[str, bool]
    rows: int
    found: set[str]
    shapes: Mapping[str, torch.Size]

    def __call__(self, key: str, value: Tensor, module: nn.Module) -> dict[str, Tensor]:
        """Convert a tensor, and extend embeddings by the rows of new tokens."""
        try:
            parts = self.layout.convert(key, value, module)
        except ValueError as error:
            raise ValueError(f"{self.folder}: {error}") from error
        ours = {name.removeprefix(ADAPTER_PREFIX): part for name, part in parts.items()}
        for name in self.is_output.keys() & ours.keys():
            ours[name] = extend_rows(ours[name], self.rows, output=self.is_output[name])
        for name, part in ours.items():
            expected = self.shapes.get(name, part.shape)
            if part.shape != expected:
                raise ValueError(
                    f"{self.folder}: {key} must have the shape {list(expected)} of {name}, got "
                    f"{list(part.shape)}; use the folder of the configured size, or change the "
                    "config of the language model"
                )
        self.found.update(ours)
        return ours


def _vision_hint(missing: Sequence[str]) -> str:
    """Return the next step if only the vision tower is missing."""
    if not all(VISION_TOWER in name for name in missing):
        return ""
    return (
        "; its vision tower is published in a folder of its own, so set "
        "mllm.pretrained=[LANGUAGE_MODEL, VISION_TOWER]"
    )


def _weight_name(adapter: nn.Module, embeddings: nn.Module) -> str:
    """Return the name that the weight of one of the embeddings has in the adapter."""
    names = (name for name, module in adapter.named_modules() if module is embeddings)
    return next(names) + ".weight"
