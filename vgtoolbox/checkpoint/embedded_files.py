"""Small files embedded in a released checkpoint, so that it is self-contained.

A model needs the tokenizer that it was trained with; another one with the same number of pieces
would load and give nonsense. Therefore the metadata of the weights contains the tokenizer.
"""

from __future__ import annotations

import base64
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.utils import apply_to

from vgtoolbox.checkpoint.errors import CheckpointError

METADATA_KEY = "files"
_FILE_KEY = "model_file"  # key of a tokenizer's model in a config
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_MAX_NAME = 100


class EmbeddedFilesError(CheckpointError, ValueError):
    """The files in the metadata of a checkpoint were not written by `pack_files`."""


def tokenizer_files(config: Mapping[str, Any]) -> list[str]:
    """Return the distinct paths of tokenizer models in a config, unchanged."""
    named = (value for key, value in _leaves(config) if key == _FILE_KEY)
    return sorted({value for value in named if isinstance(value, str)})


def pack_files(files: Sequence[str | Path] | Mapping[str, bytes]) -> str:
    """Return the contents of files as text.

    Args:
        files: Paths of the files in a config, or their contents by path.
    """
    if not isinstance(files, Mapping):
        files = {str(path): Path(path).read_bytes() for path in files}
    packed = {path: base64.b64encode(content).decode() for path, content in files.items()}
    return json.dumps(packed, sort_keys=True)


@contextmanager
def embedded_files(
    config: Mapping[str, Any],
    packed: str,
    *,
    by_kind: bool = False,
    source: str = "the checkpoint",
) -> Iterator[dict[str, Any]]:
    """Unpack files of `pack_files` for the duration of the block.

    Args:
        config: Config with paths of files.
        packed: Text from the metadata of a checkpoint; empty if it has none.
        by_kind: Whether the only tokenizer of the config is the only one of the checkpoint even if
            they have different names.
        source: Name of the checkpoint in errors.

    Yields:
        A copy of `config` with the paths of the unpacked files, as in `match_files`.

    Raises:
        EmbeddedFilesError: The text was not written by `pack_files`.
    """
    with tempfile.TemporaryDirectory(prefix="vgtoolbox-") as folder:
        places = {}
        for index, (name, content) in enumerate(unpack_files(packed, source=source).items()):
            place = Path(folder, str(index), safe_name(name))
            place.parent.mkdir()
            place.write_bytes(content)
            places[name] = str(place)
        found = match_files(config, places, by_kind=by_kind)
        yield apply_to(config, lambda x: isinstance(x, str), lambda x: found.get(x, x))


def match_files(
    config: Mapping[str, Any], places: Mapping[str, str], *, by_kind: bool
) -> dict[str, str]:
    """Return the unpacked path of each tokenizer of a config that the checkpoint contains.

    A tokenizer is identified by its path or, if the data is in another folder than in training, by
    its name.

    Args:
        config: Config with paths of files.
        places: Paths of the unpacked files by their paths in training.
        by_kind: Whether single tokenizers need no common name, see `embedded_files`.
    """
    named = tokenizer_files(config)
    by_name = {Path(path).name: place for path, place in places.items()}
    found = {path: places.get(path, by_name.get(Path(path).name)) for path in named}
    if by_kind and len(found) == len(places) == 1 and _suffix(*found) == _suffix(*places):
        found = dict.fromkeys(found, next(iter(places.values())))
    return {path: place for path, place in found.items() if place is not None}


def _suffix(path: str) -> str:
    return Path(path).suffix.replace(".spm", ".model")  # two suffixes of sentencepiece


def unpack_files(packed: str, *, source: str = "the checkpoint") -> dict[str, bytes]:
    """Return the contents of files by their paths; the inverse of `pack_files`.

    Raises:
        EmbeddedFilesError: The text was not written by `pack_files`.
    """
    try:
        files = json.loads(packed) if packed else {}
        return {name: base64.b64decode(text, validate=True) for name, text in files.items()}
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise EmbeddedFilesError(
            f"the embedded files of {source} can't be read: {error}; copy it again"
        ) from error


def safe_name(name: str) -> str:
    """Return the last part of a path that is not trusted, as the name of a new file."""
    cleaned = _UNSAFE.sub("_", Path(name).name)[-_MAX_NAME:]
    return cleaned if cleaned.strip(".") else "file"


def _leaves(node: Any) -> Iterator[tuple[str, Any]]:
    """Iterate over (key, value) of all values except containers."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node)
    for key, value in items:
        if isinstance(value, (Mapping, list, tuple)):
            yield from _leaves(value)
        else:
            yield str(key), value
