"""Published folders with weights in one or several files, read one tensor at a time.

An 8B model in bfloat16 takes 16 GB. Reading all weights in addition to the model, then renaming and
splitting them, would take two or three times that. Here each tensor is read, converted, copied to
its destination and dropped, so that loading needs the memory of the model and its largest tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import safe_open
from torch import Tensor, nn

from vgtoolbox.checkpoint.adapting import with_leading_ones
from vgtoolbox.checkpoint.errors import CheckpointError
from vgtoolbox.checkpoint.file_kinds import FileKind, check_exists, file_kind
from vgtoolbox.checkpoint.finite import is_finite, nonfinite_error
from vgtoolbox.checkpoint.lora import LORA_SUFFIXES, has_lora, merged_lora
from vgtoolbox.checkpoint.plain_values import NestingError, plain_values
from vgtoolbox.checkpoint.shard_index import check_index, find_shards, read_json
from vgtoolbox.checkpoint.torch_content import load_torch_content
from vgtoolbox.checkpoint.wrappers import find_state_dict

_DTYPES = {
    "BF16": torch.bfloat16,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class _Shard(Protocol):
    """One file of a folder."""

    def keys(self) -> list[str]:
        """Return the keys of its tensors."""

    def read(self, key: str) -> Tensor:
        """Return a tensor."""

    def shape(self, key: str) -> Tensor:
        """Return a tensor without values, on the meta device."""


class _SafetensorsShard:
    """File of safetensors, which stays open."""

    def __init__(self, file: Path) -> None:
        self._opened: Any = safe_open(file, framework="pt")

    def keys(self) -> list[str]:
        return list(self._opened.keys())

    def read(self, key: str) -> Tensor:
        return self._opened.get_tensor(key)

    def shape(self, key: str) -> Tensor:
        part = self._opened.get_slice(key)
        name = part.get_dtype()
        if name not in _DTYPES:
            raise ValueError(f"its dtype {name} is not one of {', '.join(_DTYPES)}")
        return torch.empty(part.get_shape(), dtype=_DTYPES[name], device="meta")


class _TorchShard:
    """File of torch, whose tensors are mapped into memory."""

    def __init__(self, file: Path) -> None:
        content = plain_values(load_torch_content(file, lazy=True))
        if not isinstance(content, dict):
            raise ValueError(f"it must contain a dictionary, got a {type(content).__name__}")
        self._state, _ = find_state_dict(content, str(file))

    def keys(self) -> list[str]:
        return list(self._state)

    def read(self, key: str) -> Tensor:
        return self._state[key]

    def shape(self, key: str) -> Tensor:
        return self._state[key].to("meta")


class ShardedState(Mapping[str, Tensor]):
    """Weights of a published folder, as a mapping that reads a tensor on access.

    Args:
        folder: Folder with `model.safetensors` or `pytorch_model.bin`, or with shards of one of
            them and their `*.index.json`.

    Raises:
        MissingCheckpointError: The folder has none of these, or a shard is missing.
        CheckpointError: A file is not valid, or the index does not fit the shards.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        name, places = find_shards(self.folder)
        files = sorted(set(places.values())) or [name]
        self._shards = {file: _open_shard(self.folder / file) for file in files}
        keys = {file: shard.keys() for file, shard in self._shards.items()}
        if places:
            check_index(self.folder / name, places, {file: set(keys[file]) for file in files})
        self._places = {key: (file, key) for file in files for key in keys[file]}

    @property
    def config(self) -> dict[str, Any]:
        """Content of `config.json`; empty if the folder has none."""
        file = self.folder / "config.json"
        return read_json(file) if file.is_file() else {}

    def renamed(self, names: Mapping[str, str]) -> ShardedState:
        """Return a view of the same files with other names.

        Args:
            names: Key of this mapping by each key of the new one; the others are left out.
        """
        view = object.__new__(ShardedState)
        view.folder, view._shards = self.folder, self._shards
        view._places = {new: self._places[old] for new, old in names.items()}
        return view

    def __getitem__(self, key: str) -> Tensor:
        file, name = self._places[key]
        try:
            return self._shards[file].read(name)
        except Exception as error:
            raise self._unreadable(key, error) from error

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def shapes(self) -> dict[str, Tensor]:
        """Return tensors without values, on the meta device, by key."""
        return {key: self._shape(key) for key in self}

    def _shape(self, key: str) -> Tensor:
        file, name = self._places[key]
        try:
            return self._shards[file].shape(name)
        except Exception as error:
            raise self._unreadable(key, error) from error

    def _unreadable(self, key: str, error: Exception) -> CheckpointError:
        file, name = self._places[key]
        return CheckpointError(
            f"{self.folder / file}: the tensor {name} can't be read ({error}); download it again"
        )


def load_streaming(
    model: nn.Module,
    state: ShardedState,
    *,
    convert: Callable[[str, Tensor, nn.Module], dict[str, Tensor]],
    scaling: float,
    allow_nonfinite: bool = False,
) -> None:
    """Copy the weights of a folder into a model that they are known to fit.

    Args:
        model: Model whose values are overwritten, on its device and in its dtype.
        state: Weights of the folder.
        convert: Function called with a published key, its tensor and the model; returns tensors by
            our names.
        scaling: Scale alpha / r of LoRA that is merged.
        allow_nonfinite: Whether NaN and infinite values are accepted.

    Raises:
        CheckpointError: Weights are NaN or infinite; the model already contains them.
    """
    names = {name for name, _ in model.named_parameters()}
    is_wrapped = any(".base_layer." in name for name in names)
    # LoRA is small and is read first, so that each layer can be merged when it is read.
    keys = sorted(state, key=lambda key: not key.endswith(LORA_SUFFIXES))
    lora: dict[str, Tensor] = {}
    bad: list[str] = []
    for key in keys:
        tensor = state[key]
        if not allow_nonfinite and not is_finite(key, tensor):
            bad.append(key)
        for name, value in convert(key, tensor, model).items():
            if is_wrapped:
                _copy(model, _wrapped_name(name, names), value)
            elif name.endswith(LORA_SUFFIXES):
                lora[name] = value
            else:
                for merged, whole in _merged(name, value, lora, scaling).items():
                    _copy(model, merged, whole)
    if bad:
        raise nonfinite_error(bad, str(state.folder))


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
    present = getattr(module, kind, None)
    if isinstance(present, Tensor):
        value = with_leading_ones(value, present.shape)
    module.load_state_dict({kind: value}, strict=False)


def _open_shard(file: Path) -> _Shard:
    """Open a file of a folder without reading its values."""
    check_exists(file)
    kind = file_kind(file)
    try:
        if kind is FileKind.SAFETENSORS:
            return _SafetensorsShard(file)
        if kind is FileKind.TORCH:
            return _TorchShard(file)
    except CheckpointError:
        raise
    except NestingError as error:
        raise CheckpointError(f"{file} is not a checkpoint: {error}") from error
    except Exception as error:
        raise CheckpointError(f"{file} is truncated or damaged ({error}); copy it again") from error
    raise CheckpointError(f"{file} must be a file of torch or safetensors, got a plain pickle")
