"""Write checkpoint files atomically, and read them without running code.

A training checkpoint (`.pth`) is a dictionary of tensors and plain values, `{"state_dict",
"config", "meta", "optimizer", ...}`, which `torch.load(weights_only=True)` reads. A released one
(`.safetensors`) contains the weights, and the config in its metadata.
"""

from __future__ import annotations

import pickle
import zipfile
from argparse import Namespace
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from vgtoolbox.checkpoint.embedded_files import METADATA_KEY, pack_files
from vgtoolbox.checkpoint.sharded import ShardedState
from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.utils.restricted_pickle import load_restricted_pickle
from vgtoolbox.version import __version__

SAFETENSORS_SUFFIX = ".safetensors"
# Files of torch.save are zip archives, and some are published with that suffix.
# Files in the model zoo of detectron2 are plain pickles of NumPy arrays.
_ARRAYS_SUFFIX = ".pkl"
_SUFFIXES = {".pth", ".pt", ".zip", _ARRAYS_SUFFIX, SAFETENSORS_SUFFIX}
_PLAIN = (str, int, float, bool, bytes, type(None))
# Containers that the restricted unpickler of torch rebuilds; it refuses other subclasses.
_CONTAINERS = (dict, OrderedDict, Counter, list, tuple)
# Published training checkpoints store metrics as NumPy numbers, and the parsed command line.
# These are plain data; NumPy numbers have different module names in NumPy 1 and 2.
_PLAIN_OBJECTS: list[Any] = [
    Namespace,
    np.dtype,
    *{type(np.dtype(code)) for code in ("?", "i4", "i8", "f2", "f4", "f8")},
    *(
        (np.float64(0).__reduce__()[0], f"numpy.{core}.multiarray.scalar")
        for core in ("core", "_core")
    ),
]


class CheckpointError(RuntimeError):
    """A file is not a checkpoint, or is incomplete."""


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
    """Read a checkpoint of ours or of another code base.

    Args:
        path: Path of a `.safetensors` file, of a file that `torch.save` wrote, or of a published
            folder, whose tensors are read on access.
        map_location: Device of the loaded tensors.

    Returns:
        Content of the file, always with "state_dict"; "config" is the text of the config, if the
        file has one.

    Raises:
        FileNotFoundError: The file does not exist.
        CheckpointError: The file is not a checkpoint, is truncated, or contains Python objects.
    """
    source = Path(path)
    if source.is_dir():
        return {"state_dict": ShardedState(source)}
    if not source.is_file():
        raise FileNotFoundError(_explain_missing(source))
    if source.suffix == SAFETENSORS_SUFFIX:
        return _load_safetensors(source, map_location)
    content = _load_pickle(source, map_location)
    if not isinstance(content, Mapping) or not content:
        raise CheckpointError(
            f"{source} must contain a dictionary with 'state_dict', got a "
            f"{type(content).__name__}; choose another file"
        )
    return _with_state_dict(dict(content), source)


def save_released(
    weights: nn.Module | Mapping[str, Tensor],
    config_text: str,
    path: str | Path,
    *,
    dtype: torch.dtype | None = None,
    files: Sequence[str | Path] = (),
) -> None:
    """Write the weights as safetensors, with the config that builds their model.

    Args:
        weights: Model or its state dict.
        config_text: Resolved config as Python source.
        path: Path with the suffix `.safetensors`.
        dtype: Dtype of the stored floating-point weights. If `None`, they keep their dtype.
        files: Paths of small files that the config names and the model needs, above all its
            tokenizer (`embedded_files.tokenizer_files`); the metadata contains them.

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
    _check_content(source)
    try:
        with safe_open(source, framework="pt", device=map_location) as file:
            metadata = file.metadata() or {}
            state_dict = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{source} is truncated, or not a safetensors file ({error}); copy it again"
        ) from error
    meta = {key: value for key, value in metadata.items() if key != "config"}
    return {"state_dict": state_dict, "config": metadata.get("config", ""), "meta": meta}


def _load_pickle(source: Path, map_location: str) -> Any:
    _check_content(source)
    try:
        _check_signature(source)
        if source.suffix == _ARRAYS_SUFFIX:
            return _as_tensors(load_restricted_pickle(source, arrays=True), map_location)
        with torch.serialization.safe_globals(_PLAIN_OBJECTS):
            return torch.load(source, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{source} contains Python objects, and loading these could run arbitrary code. If you "
            f"trust it, save it again with tensors and plain values only. Message of torch: {error}"
        ) from error
    except CheckpointError:
        raise
    except Exception as error:
        # For damaged bytes, zipfile and torch raise errors of a dozen kinds that all mean this.
        raise CheckpointError(
            f"{source} is damaged or truncated ({type(error).__name__}: {error}); copy it again"
        ) from error


def _as_tensors(value: Any, device: str) -> Any:
    """Convert the arrays in nested dictionaries to tensors."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value).to(device)
    if isinstance(value, dict):
        return {key: _as_tensors(entry, device) for key, entry in value.items()}
    return value


def _check_content(source: Path) -> None:
    """Raise if the file is a typical result of a failed download instead of weights."""
    with source.open("rb") as file:
        head = file.read(512).lstrip().lower()
    if head.startswith(b"version https://git-lfs.github.com"):
        raise CheckpointError(
            f"{source} is a pointer of git-lfs, not the weights: run git lfs pull in its "
            "repository, or download the file from its page"
        )
    if head.startswith((b"<!doctype html", b"<html")):
        raise CheckpointError(
            f"{source} is an HTML page, not the weights: the download returned a web page, for "
            "example one that asks to log in; download the file itself"
        )


def _check_signature(source: Path) -> None:
    """Raise if the file does not begin and end like one that `torch.save` wrote."""
    with source.open("rb") as file:
        start = file.read(2)
    if start == b"PK":
        if not zipfile.is_zipfile(source):
            raise CheckpointError(
                f"{source} is truncated ({source.stat().st_size} bytes): it begins like a "
                "checkpoint, but its end is missing; copy it again"
            )
    elif start[:1] != pickle.PROTO:  # first byte of files of torch < 1.6 and of plain pickles
        raise CheckpointError(
            f"{source} is not a checkpoint: it must be a file of torch.save or "
            f"*{SAFETENSORS_SUFFIX}, got a file that begins with {start!r}"
        )


def _with_state_dict(content: dict[str, Any], source: Path) -> dict[str, Any]:
    """Find the weights under their usual names, or use the whole file as a bare state dict."""
    for name in ("state_dict", "model", "module"):
        if isinstance(content.get(name), Mapping):
            plain = {k: vars(v) if isinstance(v, Namespace) else v for k, v in content.items()}
            return {**plain, "state_dict": dict(content[name])}
    if all(isinstance(value, Tensor) for value in content.values()):
        return {"state_dict": content}
    raise CheckpointError(
        f"{source} has no weights: it must have an entry 'state_dict', got {sorted(content)[:10]}"
    )


def _explain_missing(source: Path) -> str:
    """Return a message that lists the checkpoints next to the file that was not found."""
    if not source.parent.is_dir():
        return f"no checkpoint {source}: the folder {source.parent} does not exist"
    found = sorted(entry.name for entry in source.parent.iterdir() if entry.suffix in _SUFFIXES)
    return f"no checkpoint {source}; checkpoints in that folder: {', '.join(found) or 'none'}"
