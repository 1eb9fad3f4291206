"""Write checkpoint files atomically, and read them without running code.

A training checkpoint (`.pth`) is a dictionary of tensors and plain values, `{"state_dict",
"config", "meta", "optimizer", ...}`, which `torch.load(weights_only=True)` reads. A released one
(`.safetensors`) contains the weights, and the config in its metadata.
"""

from __future__ import annotations

import pickle
import warnings
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from vgtoolbox.checkpoint.embedded_files import METADATA_KEY, pack_files
from vgtoolbox.checkpoint.errors import CheckpointError
from vgtoolbox.checkpoint.file_kinds import FileKind, check_exists, file_kind, unreadable
from vgtoolbox.checkpoint.plain_values import NestingError, plain_values
from vgtoolbox.checkpoint.sharded import ShardedState
from vgtoolbox.checkpoint.torch_content import load_torch_content
from vgtoolbox.checkpoint.wrappers import CHOICE_MARK, find_state_dict
from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.utils.restricted_pickle import RefusedPickleError, load_restricted_pickle
from vgtoolbox.version import __version__

SAFETENSORS_SUFFIX = ".safetensors"
_PLAIN = (str, int, float, bool, bytes, type(None))
# Containers that the restricted unpickler of torch rebuilds; it refuses other subclasses.
_CONTAINERS = (dict, OrderedDict, Counter, list, tuple)


def save_checkpoint(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write a checkpoint atomically, so that readers of `path` see the old file or the new one.

    Raises:
        TypeError: An entry is neither a tensor nor a plain value; the message names its key.
    """
    check_plain(checkpoint, where="checkpoint")
    with atomic_file(path, expected_bytes=_count_bytes(checkpoint)) as file:
        torch.save(dict(checkpoint), file)


def _count_bytes(value: Any) -> int:
    """Return the size of all tensors in nested containers; shared memory counts several times."""
    if isinstance(value, Tensor):
        return value.nbytes
    if type(value) not in _CONTAINERS:
        return 0
    return sum(map(_count_bytes, value.values() if isinstance(value, dict) else value))


def check_plain(value: Any, *, where: str) -> None:
    """Raise if `value` contains anything except tensors, containers and plain Python values.

    Args:
        value: Value to be saved.
        where: Name of the value, which starts the names of its entries.

    Raises:
        TypeError: An entry has another type; the message names the first one.
    """
    if isinstance(value, Tensor) or type(value) in _PLAIN:
        return
    if type(value) not in _CONTAINERS:
        raise TypeError(
            f"{where} must be a tensor, a container or a plain value, so that a checkpoint loads "
            f"without running code, got a {type(value).__module__}.{type(value).__qualname__}"
        )
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in items:
        check_plain(key, where=f"a key of {where}")
        check_plain(entry, where=f"{where}[{key!r}]")


def load_checkpoint(path: str | Path, map_location: str = "cpu") -> dict[str, Any]:
    """Read a checkpoint of ours or of another code base, whose format its content shows.

    Args:
        path: Path of a safetensors file, of a file that `torch.save` wrote, of a pickle of NumPy
            arrays, or of a published folder, whose tensors are read on access. `file.pth#ema`
            chooses the weights `ema` of a file with several.
        map_location: Device of the loaded tensors.

    Returns:
        Content of the file, always with "state_dict"; "config" is the text of the config, if the
        file has one.

    Raises:
        MissingCheckpointError: The file does not exist.
        CheckpointError: The file is not a checkpoint, is truncated, or contains Python objects.
    """
    source, choice = _split_choice(path)
    if check_exists(source):
        return {"state_dict": ShardedState(source)}
    kind = file_kind(source)
    if kind is FileKind.SAFETENSORS:
        content = _load_safetensors(source, map_location)
    else:
        content = _load_content(source, kind, map_location)
    content = _with_known_types(content)
    is_ours = "vgtoolbox_version" in content.get("meta", {})
    if is_ours and not choice and isinstance(content.get("state_dict"), Mapping):
        return content
    state, note = find_state_dict(content, str(source), choice)
    if note:
        warnings.warn(note, stacklevel=2)
    is_bare = state.keys() & content.keys()
    return {"state_dict": state} if is_bare else {**content, "state_dict": state}


def _split_choice(path: str | Path) -> tuple[Path, str]:
    """Split `file.pth#ema` into the path and the name of the weights, if that file exists."""
    whole, mark, choice = str(path).rpartition(CHOICE_MARK)
    if mark and not Path(path).exists() and Path(whole).is_file():
        return Path(whole), choice
    return Path(path), ""


def _with_known_types(content: dict[str, Any]) -> dict[str, Any]:
    """Drop a config that is not a text and other metadata of another code base."""
    types = {"config": str, "meta": dict}
    return {
        key: value
        for key, value in content.items()
        if key not in types or isinstance(value, (types[key], Tensor))
    }


def save_released(
    weights: nn.Module | Mapping[str, Tensor],
    config_text: str,
    path: str | Path,
    *,
    dtype: torch.dtype | None = None,
    files: Sequence[str | Path] | Mapping[str, bytes] = (),
) -> None:
    """Write the weights as safetensors, with the config that builds their model.

    Args:
        weights: Model or its state dict.
        config_text: Resolved config as Python source.
        path: Path with the suffix `.safetensors`.
        dtype: Dtype of the stored floating-point weights. If `None`, they keep their dtype.
        files: Paths of small files that the config names and the model needs, above all its
            tokenizer (`embedded_files.tokenizer_files`), or their contents by path; the metadata
            contains them.

    Raises:
        CheckpointError: `path` has another suffix.
    """
    if Path(path).suffix != SAFETENSORS_SUFFIX:
        raise CheckpointError(
            f"the name of a released checkpoint must end in {SAFETENSORS_SUFFIX}, got {path}"
        )
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    # safetensors refuses tensors that share memory (tied weights), so they are cloned.
    tensors = {
        key: value.detach()
        .to("cpu", dtype if value.is_floating_point() else None)
        .contiguous()
        .clone()
        for key, value in state.items()
    }
    metadata = {"format": "pt", "config": config_text, "vgtoolbox_version": __version__}
    if files:
        metadata[METADATA_KEY] = pack_files(files)
    content = safetensors.torch.save(tensors, metadata)
    with atomic_file(path, expected_bytes=len(content)) as file:
        file.write(content)


def load_released(path: str | Path, map_location: str = "cpu") -> tuple[dict[str, Tensor], str]:
    """Read a released checkpoint.

    Returns:
        The state dict and the text of its config.

    Raises:
        CheckpointError: The file has no config, so it was not written by `save_released`.
    """
    checkpoint = load_checkpoint(path, map_location)
    if not checkpoint.get("config"):
        raise CheckpointError(
            f"{path} must be a released checkpoint with a config, got one without a config; "
            "name the config that it was trained with"
        )
    return checkpoint["state_dict"], checkpoint["config"]


def _load_safetensors(source: Path, map_location: str) -> dict[str, Any]:
    try:
        with safe_open(source, framework="pt", device=map_location) as file:
            metadata = file.metadata() or {}
            state_dict = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except Exception as error:
        # A dtype that torch does not have is a KeyError or an AttributeError.
        known = isinstance(error, (SafetensorError, ValueError, RuntimeError, OSError))
        kind = "" if known else f"{type(error).__name__}: "
        raise CheckpointError(
            f"{source} is truncated, or not a safetensors file ({kind}{error}); copy it again"
        ) from error
    meta = {key: value for key, value in metadata.items() if key != "config"}
    return {"state_dict": state_dict, "config": metadata.get("config", ""), "meta": meta}


def _load_content(source: Path, kind: FileKind, map_location: str) -> dict[str, Any]:
    """Return the content of a file of torch, or of a pickle of arrays, in plain containers."""
    if kind is FileKind.TORCH:
        content = load_torch_content(source, map_location=map_location)
    else:
        content = _load_arrays(source)
    try:
        content = plain_values(content)
    except NestingError as error:
        raise CheckpointError(f"{source} is not a checkpoint: {error}") from error
    if not isinstance(content, dict) or not content:
        raise CheckpointError(
            f"{source} must contain a dictionary with 'state_dict', got a "
            f"{type(content).__name__}; choose another file"
        )
    return content


def _load_arrays(source: Path) -> Any:
    try:
        return load_restricted_pickle(source, arrays=True)
    except RefusedPickleError as error:
        raise CheckpointError(
            f"{source} contains Python objects, and loading these could run arbitrary code: "
            f"{error.__context__ or error}. If you trust it, save it again with tensors and plain "
            "values only"
        ) from error
    except pickle.UnpicklingError as error:
        raise CheckpointError(str(error)) from error
    except OSError as error:
        raise unreadable(source, error) from error
