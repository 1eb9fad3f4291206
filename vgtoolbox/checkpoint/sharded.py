"""Published folders with weights in one or several files, read one tensor at a time.

An 8B model in bfloat16 takes 16 GB. Reading all weights in addition to the model, then renaming and
splitting them, would take two or three times that. Here each tensor is read, converted, copied to
its destination and dropped, so that loading needs the memory of the model and its largest tensor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from vgtoolbox.checkpoint.lora import LORA_SUFFIXES, has_lora, merged_lora

_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_WHOLE = ("model.safetensors", "pytorch_model.bin")
_DTYPES = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
    "I64": torch.int64,
    "I32": torch.int32,
    "BOOL": torch.bool,
    "U8": torch.uint8,
}


class ShardedState(Mapping[str, Tensor]):
    """Weights of a published folder, as a mapping that reads a tensor on access.

    Args:
        folder: Folder with `model.safetensors` or `pytorch_model.bin`, or with shards of one of
            them and their `*.index.json`.

    Raises:
        FileNotFoundError: The folder has none of these, or a shard is missing.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._places = self._find_places()
        self._opened: dict[str, Any] = {}

    @property
    def config(self) -> dict[str, Any]:
        """Content of `config.json`; empty if the folder has none."""
        file = self.folder / "config.json"
        return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}

    def __getitem__(self, key: str) -> Tensor:
        shard = self._open(self._places[key])
        return shard[key] if isinstance(shard, dict) else shard.get_tensor(key)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def shapes(self) -> dict[str, Tensor]:
        """Return tensors without values, on the meta device, by key."""
        return {key: self._shape(key) for key in self}

    def _shape(self, key: str) -> Tensor:
        shard = self._open(self._places[key])
        if isinstance(shard, dict):
            return shard[key].to("meta")
        part = shard.get_slice(key)
        return torch.empty(part.get_shape(), dtype=_DTYPES[part.get_dtype()], device="meta")

    def _find_places(self) -> dict[str, str]:
        """Return the file of each key."""
        for name in _INDEXES:
            if (self.folder / name).is_file():
                places = json.loads((self.folder / name).read_text(encoding="utf-8"))["weight_map"]
                missing = {file for file in places.values() if not (self.folder / file).is_file()}
                if missing:
                    raise FileNotFoundError(
                        f"{self.folder} must have all files of {name}, got none for "
                        f"{', '.join(sorted(missing))}; download it again"
                    )
                return places
        for name in _WHOLE:
            if (self.folder / name).is_file():
                return dict.fromkeys(_keys_of(self.folder / name), name)
        raise FileNotFoundError(
            f"{self.folder} is a folder without weights; it must have one of "
            f"{', '.join((*_WHOLE, *_INDEXES))}"
        )

    def _open(self, name: str) -> Any:
        if name not in self._opened:
            self._opened[name] = _open_file(self.folder / name)
        return self._opened[name]


def load_streaming(
    model: nn.Module,
    state: ShardedState,
    *,
    convert: Callable[[str, Tensor, nn.Module], dict[str, Tensor]],
    scaling: float,
) -> None:
    """Copy the weights of a folder into a model that they are known to fit.

    Args:
        model: Model whose values are overwritten, on its device and in its dtype.
        state: Weights of the folder.
        convert: Function called with a published key, its tensor and the model; returns tensors by
            our names.
        scaling: Scale alpha / r of LoRA that is merged.
    """
    names = {name for name, _ in model.named_parameters()}
    is_wrapped = any(".base_layer." in name for name in names)
    # LoRA is small and is read first, so that each layer can be merged when it is read.
    keys = sorted(state, key=lambda key: not key.endswith(LORA_SUFFIXES))
    lora: dict[str, Tensor] = {}
    for key in keys:
        for name, value in convert(key, state[key], model).items():
            if is_wrapped:
                _copy(model, _wrapped_name(name, names), value)
            elif name.endswith(LORA_SUFFIXES):
                lora[name] = value
            else:
                for merged, whole in _merged(name, value, lora, scaling).items():
                    _copy(model, merged, whole)


def _merged(
    name: str, value: Tensor, lora: Mapping[str, Tensor], scaling: float
) -> dict[str, Tensor]:
    """Merge one layer with its LoRA, if it has one."""
    layer = name.removesuffix(".base_layer.weight")
    own = {
        layer + suffix: lora[layer + suffix] for suffix in LORA_SUFFIXES if layer + suffix in lora
    }
    return (
        merged_lora({name: value, **own}, scaling)
        if has_lora(own)
        else {name.replace(".base_layer.", "."): value}
    )


def _wrapped_name(name: str, names: set[str]) -> str:
    """Return the name that a layer has after wrapping by LoRA."""
    layer, _, kind = name.rpartition(".")
    wrapped = f"{layer}.base_layer.{kind}"
    return wrapped if wrapped in names else name


@torch.no_grad()
def _copy(model: nn.Module, name: str, value: Tensor) -> None:
    path, _, kind = name.rpartition(".")
    module = model.get_submodule(path)
    module.load_state_dict({kind: value}, strict=False)


def _open_file(file: Path) -> Any:
    if file.suffix == ".safetensors":
        return safe_open(file, framework="pt")
    return torch.load(file, map_location="cpu", weights_only=True, mmap=True)


def _keys_of(file: Path) -> list[str]:
    opened = _open_file(file)
    return list(opened.keys())
