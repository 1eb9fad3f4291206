"""Checkpoint files: written whole or not at all, read without running what they contain.

A training checkpoint (`.pth`) is a dictionary of tensors and plain values, `{"state_dict",
"config", "meta", "optimizer", ...}`, which `torch.load(weights_only=True)` reads. A released one
(`.safetensors`) holds the weights, and the config in its metadata.
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
# What torch.save writes is a zip archive, and some publish it under that name.
# detectron2's model zoo is plain pickles of NumPy arrays.
_ARRAYS_SUFFIX = ".pkl"
_SUFFIXES = {".pth", ".pt", ".zip", _ARRAYS_SUFFIX, SAFETENSORS_SUFFIX}
_PLAIN = (str, int, float, bool, bytes, type(None))
# What the restricted unpickler of torch rebuilds; subclasses beyond these it refuses.
_CONTAINERS = (dict, OrderedDict, Counter, list, tuple)
# Published training checkpoints store metrics as numpy numbers, and the command line as parsed.
# These are plain data; numpy's are named as numpy 1 and as numpy 2 spell them.
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
    """A file is no checkpoint, or not a whole one."""


def save_checkpoint(checkpoint: Mapping[str, Any], path: str | Path) -> None:
    """Write a checkpoint atomically: whoever reads `path` sees the old file or the new one.

    Raises:
        TypeError: An entry is neither a tensor nor a plain value; the message names its key.
    """
    check_plain(checkpoint, where="checkpoint")
    with atomic_file(path) as file:
        torch.save(dict(checkpoint), file)


def check_plain(value: Any, *, where: str) -> None:
    """Raise where `value` holds anything but tensors, containers and plain Python values.

    Args:
        value: What is to be saved.
        where: Its name, from which the names of its entries are built.

    Raises:
        TypeError: Names the first entry of another type.
    """
    if isinstance(value, Tensor) or type(value) in _PLAIN:
        return
    if type(value) not in _CONTAINERS:
        raise TypeError(
            f"{where} is a {type(value).__module__}.{type(value).__qualname__}; a checkpoint holds "
            "only tensors, containers and plain values, so that it loads without running code"
        )
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, entry in items:
        check_plain(key, where=f"a key of {where}")
        check_plain(entry, where=f"{where}[{key!r}]")


def load_checkpoint(path: str | Path, map_location: str = "cpu") -> dict[str, Any]:
    """Read a checkpoint of ours or of somebody else.

    Args:
        path: A `.safetensors` file, anything that `torch.save` wrote, or a published folder, whose
            tensors are read when they are asked for.
        map_location: The device that the tensors come to.

    Returns:
        What the file holds, always with "state_dict"; "config" is the config's text where the file
        has one.

    Raises:
        FileNotFoundError: No such file.
        CheckpointError: The file is no checkpoint, is truncated, or holds Python objects.
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
            f"{source} holds a {type(content).__name__}, expected a dictionary with 'state_dict'"
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
        weights: A model or its state dict.
        config_text: The resolved config, as Python source.
        path: Ends in `.safetensors`.
        dtype: What floating-point weights are stored as; None keeps theirs.
        files: Small ones that the config names and the model can't do without, its tokenizer
            above all (`embedded_files.tokenizer_files`); they travel in the metadata.
    """
    if Path(path).suffix != SAFETENSORS_SUFFIX:
        raise CheckpointError(f"a released checkpoint is named *{SAFETENSORS_SUFFIX}, got {path}")
    state = weights.state_dict() if isinstance(weights, nn.Module) else weights
    # Cloned, because safetensors refuses tensors that share memory (tied weights).
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
    with atomic_file(path) as file:
        file.write(safetensors.torch.save(tensors, metadata))


def load_released(path: str | Path, map_location: str = "cpu") -> tuple[dict[str, Tensor], str]:
    """Read a released checkpoint.

    Returns:
        The state dict and the text of its config.

    Raises:
        CheckpointError: It carries no config, so we did not write it.
    """
    checkpoint = load_checkpoint(path, map_location)
    if not checkpoint.get("config"):
        raise CheckpointError(
            f"{path} carries no config, so it is no released checkpoint of ours; "
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
            f"{source} holds Python objects, and loading these could run anything. Re-save it with "
            f"tensors and plain values only, where you trust it. torch says: {error}"
        ) from error
    except CheckpointError:
        raise
    except Exception as error:
        # For damaged bytes, zipfile and torch raise errors of a dozen kinds that all mean this.
        raise CheckpointError(
            f"{source} is damaged or truncated ({type(error).__name__}: {error}); copy it again"
        ) from error


def _as_tensors(value: Any, device: str) -> Any:
    """Turn the arrays in nested dictionaries into tensors."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value).to(device)
    if isinstance(value, dict):
        return {key: _as_tensors(entry, device) for key, entry in value.items()}
    return value


def _check_content(source: Path) -> None:
    """Raise if the file is what a failed download leaves in place of weights."""
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
    """Raise where the file does not begin, or not end, as one that `torch.save` wrote."""
    with source.open("rb") as file:
        start = file.read(2)
    if start == b"PK":
        if not zipfile.is_zipfile(source):
            raise CheckpointError(
                f"{source} is truncated ({source.stat().st_size} bytes): it begins as a checkpoint "
                "but its end is missing; copy it again"
            )
    elif start[:1] != pickle.PROTO:  # how torch < 1.6 and plain pickles begin
        raise CheckpointError(
            f"{source} is no checkpoint: expected what torch.save writes, or *{SAFETENSORS_SUFFIX},"
            f" found a file that begins with {start!r}"
        )


def _with_state_dict(content: dict[str, Any], source: Path) -> dict[str, Any]:
    """Find the weights under the names in use, or take the whole file as a bare state dict."""
    for name in ("state_dict", "model", "module"):
        if isinstance(content.get(name), Mapping):
            plain = {k: vars(v) if isinstance(v, Namespace) else v for k, v in content.items()}
            return {**plain, "state_dict": dict(content[name])}
    if all(isinstance(value, Tensor) for value in content.values()):
        return {"state_dict": content}
    raise CheckpointError(
        f"{source} has no weights: expected an entry 'state_dict', found {sorted(content)[:10]}"
    )


def _explain_missing(source: Path) -> str:
    """Say what stands beside the file that was not found."""
    if not source.parent.is_dir():
        return f"no checkpoint {source}: the folder {source.parent} does not exist"
    found = sorted(entry.name for entry in source.parent.iterdir() if entry.suffix in _SUFFIXES)
    return f"no checkpoint {source}; checkpoints in that folder: {', '.join(found) or 'none'}"
