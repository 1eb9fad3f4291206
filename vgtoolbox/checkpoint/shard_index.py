"""Read the index of a published folder: the file that contains each tensor."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from vgtoolbox.checkpoint.errors import CheckpointError, MissingCheckpointError
from vgtoolbox.checkpoint.file_kinds import failed_download, unreadable, weight_files

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
WHOLE = ("model.safetensors", "pytorch_model.bin")
_ADAPTER = "adapter_config.json"  # of peft
_MAX_INDEX_BYTES = 64 << 20
_SHOWN = 5


def find_shards(folder: Path) -> tuple[str, dict[str, str]]:
    """Return the names of the index and of each tensor's file in a published folder.

    Returns:
        The name of the index, and the file names by key. If one file has all weights, its name and
        an empty dictionary.

    Raises:
        MissingCheckpointError: The folder has no weights, or lacks a file of its index.
        CheckpointError: The index is not valid.
    """
    for name in INDEXES:
        if (folder / name).is_file():
            places = _read_index(folder / name)
            # Unlike `Path.is_file`, it accepts names that no file can have.
            missing = {f for f in places.values() if not os.path.isfile(folder / f)}  # noqa: PTH113
            if missing:
                raise MissingCheckpointError(
                    f"{folder} must have all files of {name}, got none for {_few(missing)}; "
                    "download it again"
                )
            return name, places
    for name in WHOLE:
        if (folder / name).is_file():
            return name, {}
    raise MissingCheckpointError(_explain_folder(folder))


def check_index(
    index: Path, places: Mapping[str, str], keys: Mapping[str, Collection[str]]
) -> None:
    """Raise unless each tensor is in the file that the index names, and in no other.

    Args:
        index: Path of the index.
        places: File name of each tensor, from the index.
        keys: Keys in each file.
    """
    absent = [key for key, file in places.items() if key not in keys[file]]
    if absent:
        raise CheckpointError(
            f"{index}: {len(absent)} tensors are not in the files that the index names, such as "
            f"{absent[0]} in {places[absent[0]]}; index and files belong to different versions, "
            "download them again"
        )
    counts = Counter(key for found in keys.values() for key in found)
    double = sorted(key for key, count in counts.items() if count > 1)
    if double:
        files = [file for file, found in keys.items() if double[0] in found]
        raise CheckpointError(
            f"{index}: {len(double)} tensors are in several files, such as {double[0]} in "
            f"{_few(files)}; download the folder again"
        )


def read_json(file: Path) -> Any:
    """Read a JSON file of a published folder; a key that is given twice is an error.

    Raises:
        CheckpointError: The file can't be read, or is not valid JSON.
    """
    try:
        if file.stat().st_size > _MAX_INDEX_BYTES:
            raise CheckpointError(f"{file} must be smaller than {_MAX_INDEX_BYTES >> 20} MiB")
        content = file.read_bytes()
    except OSError as error:
        raise unreadable(file, error) from error
    if explanation := failed_download(content):
        raise CheckpointError(f"{file} is {explanation}")
    try:
        return json.loads(content.decode("utf-8-sig"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is not valid JSON ({error}); download it again") from error


def _read_index(file: Path) -> dict[str, str]:
    content = read_json(file)
    places = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(places, dict) or not places:
        raise CheckpointError(f"{file} must have a 'weight_map' with keys; download it again")
    for key, name in places.items():
        if not isinstance(name, str) or not _is_file_name(name):
            raise CheckpointError(
                f"{file}: the file of {key} must be in the same folder, got {name!r:.80}; use the "
                "index that was published with the weights"
            )
    return places


def _is_file_name(name: str) -> bool:
    return Path(name).name == name and name not in ("", "..") and not set(name) & set("\\\0")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        double = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {double!r} is given twice")
    return result


def _explain_folder(folder: Path) -> str:
    required = ", ".join((*WHOLE, *INDEXES))
    if (folder / _ADAPTER).is_file():
        return (
            f"{folder} is a folder without weights: it has a peft adapter, which is only a part of "
            "a model; merge it into its base model and save that"
        )
    found = weight_files(folder)
    if found:
        return f"{folder} is a folder without {required}; name one of its files: {_few(found)}"
    return f"{folder} is a folder without weights; it must have one of {required}"


def _few(names: Collection[str]) -> str:
    shown = sorted(names)
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
