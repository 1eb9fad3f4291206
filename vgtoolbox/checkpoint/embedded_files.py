"""Small files embedded in a released checkpoint, so that it is self-contained.

A model needs the tokenizer that it was trained with; another one with the same number of pieces
would load and give nonsense. Therefore the metadata of the weights contains the tokenizer.
"""

from __future__ import annotations

import base64
import binascii
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmengine.utils import apply_to

METADATA_KEY = "files"
_FILE_KEY = "model_file"  # key of a tokenizer's model in a config


def tokenizer_files(config: Mapping[str, Any]) -> list[str]:
    """Return the distinct paths of tokenizer models in a config, unchanged."""
    return sorted({value for key, value in _leaves(config) if key == _FILE_KEY})


def pack_files(paths: Sequence[str | Path]) -> str:
    """Return the contents of files as text, by their paths in a config."""
    packed = {str(path): base64.b64encode(Path(path).read_bytes()).decode() for path in paths}
    return json.dumps(packed, sort_keys=True)


@contextmanager
def embedded_files(config: Mapping[str, Any], packed: str) -> Iterator[dict[str, Any]]:
    """Unpack files of `pack_files` for the duration of the block.

    Args:
        config: Config with paths of files.
        packed: Text from the metadata of a checkpoint; empty if it has none.

    Yields:
        A copy of `config` with the paths of the unpacked files. A file is identified by its path
        or, if the data is in another folder than in training, by its name.

    Raises:
        ValueError: The text was not written by `pack_files`.
    """
    with tempfile.TemporaryDirectory(prefix="vgtoolbox-") as folder:
        places = {}
        for index, (name, content) in enumerate(_read_packed(packed).items()):
            # The folder in the path is not trusted: only the file name is used.
            place = Path(folder, str(index), Path(name).name)
            place.parent.mkdir()
            place.write_bytes(content)
            places[name] = str(place)
        found = _by_path_or_name(tokenizer_files(config), places)
        yield apply_to(config, lambda x: isinstance(x, str), lambda x: found.get(x, x))


def _by_path_or_name(named: Sequence[str], places: Mapping[str, str]) -> dict[str, str]:
    """Return the unpacked path of each file of a config that the checkpoint contains."""
    by_name = {Path(path).name: place for path, place in places.items()}
    found = {path: places.get(path, by_name.get(Path(path).name)) for path in named}
    return {path: place for path, place in found.items() if place is not None}


def _read_packed(packed: str) -> dict[str, bytes]:
    try:
        files = json.loads(packed) if packed else {}
        return {name: base64.b64decode(text, validate=True) for name, text in files.items()}
    except (json.JSONDecodeError, AttributeError, TypeError, binascii.Error) as error:
        raise ValueError(
            f"the embedded files of the checkpoint can't be read: {error}; copy it again"
        ) from error


def _leaves(node: Any) -> Iterator[tuple[str, Any]]:
    """Iterate over (key, value) of all values except containers."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node)
    for key, value in items:
        if isinstance(value, (Mapping, list, tuple)):
            yield from _leaves(value)
        else:
            yield str(key), value
