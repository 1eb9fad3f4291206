"""Small files that a released checkpoint carries, so that it needs nothing beside it.

A model reads text through the tokenizer that it was trained with; another one with the same number
of pieces would load and give nonsense. So the tokenizer travels in the metadata of the weights.
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
_FILE_KEY = "model_file"  # how a config names the model of a tokenizer


def tokenizer_files(config: Mapping[str, Any]) -> list[str]:
    """Return the tokenizer models that a config names, each once, as it spells them."""
    return sorted({value for key, value in _leaves(config) if key == _FILE_KEY})


def pack_files(paths: Sequence[str | Path]) -> str:
    """Return files as text, by the paths that a config names them by."""
    packed = {str(path): base64.b64encode(Path(path).read_bytes()).decode() for path in paths}
    return json.dumps(packed, sort_keys=True)


@contextmanager
def embedded_files(config: Mapping[str, Any], packed: str) -> Iterator[dict[str, Any]]:
    """Unpack what `pack_files` packed, as long as the block lasts.

    Args:
        config: Names files.
        packed: From the metadata of a checkpoint; empty where it carries none.

    Yields:
        A copy of `config`, in which carried files are named by where they are unpacked. A file is
        known by its path or, where the data lie in another folder than in training, by its name.

    Raises:
        ValueError: The text is not what `pack_files` makes.
    """
    with tempfile.TemporaryDirectory(prefix="vgtoolbox-") as folder:
        places = {}
        for index, (name, content) in enumerate(_read_packed(packed).items()):
            # The folder of the name is somebody else's: only its last part may reach the disk.
            place = Path(folder, str(index), Path(name).name)
            place.parent.mkdir()
            place.write_bytes(content)
            places[name] = str(place)
        found = _by_path_or_name(tokenizer_files(config), places)
        yield apply_to(config, lambda x: isinstance(x, str), lambda x: found.get(x, x))


def _by_path_or_name(named: Sequence[str], places: Mapping[str, str]) -> dict[str, str]:
    """Return where each file that a config names is unpacked, of those that are carried."""
    by_name = {Path(path).name: place for path, place in places.items()}
    found = {path: places.get(path, by_name.get(Path(path).name)) for path in named}
    return {path: place for path, place in found.items() if place is not None}


def _read_packed(packed: str) -> dict[str, bytes]:
    try:
        files = json.loads(packed) if packed else {}
        return {name: base64.b64decode(text, validate=True) for name, text in files.items()}
    except (json.JSONDecodeError, AttributeError, TypeError, binascii.Error) as error:
        raise ValueError(f"the files that the checkpoint carries can't be read: {error}") from error


def _leaves(node: Any) -> Iterator[tuple[str, Any]]:
    """Walk over (key, value) of all values that are no containers."""
    items = node.items() if isinstance(node, Mapping) else enumerate(node)
    for key, value in items:
        if isinstance(value, (Mapping, list, tuple)):
            yield from _leaves(value)
        else:
            yield str(key), value
