"""Compare the tokenizers of a config with those that a checkpoint contains.

Two tokenizers can have the same number of pieces in another order. Weights would then load, and
every word would mean another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vgtoolbox.checkpoint.embedded_files import METADATA_KEY, tokenizer_files, unpack_files
from vgtoolbox.checkpoint.io import CheckpointError

DIGESTS_KEY = "tokenizers"
"""Key of the meta data of a training checkpoint: digests of its tokenizers by path."""
_NAMES = (
    "tokenizer.model",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "added_tokens.json",
)
_SENTENCEPIECE = frozenset({".spm", ".model"})


@dataclass(frozen=True)
class TokenizerDifference:
    """Tokenizer of a config whose content is not in the checkpoint.

    Args:
        path: Path in the config.
        digest: First digits of the SHA-256 of the file.
        carried: Name of the tokenizer in the checkpoint.
        carried_digest: First digits of its SHA-256.
    """

    path: str
    digest: str
    carried: str
    carried_digest: str


def tokenizer_digests(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 of each existing tokenizer file in a config, by its path."""
    paths = [Path(path) for path in (*tokenizer_files(config), *_folders(config))]
    files = [file for path in paths for file in ([path] if path.is_file() else _files_in(path))]
    return {str(file): _digest(file.read_bytes()) for file in files}


def carried_digests(checkpoint: Mapping[str, Any], source: str | Path) -> dict[str, str]:
    """Return the SHA-256 of each tokenizer file that a checkpoint contains, by its name.

    Args:
        checkpoint: Content of the checkpoint.
        source: Path of the checkpoint; a published folder contains tokenizer files.

    Raises:
        CheckpointError: The files in the checkpoint are damaged.
    """
    meta = checkpoint.get("meta", {})
    digests = meta.get(DIGESTS_KEY)
    found = {str(k): str(v) for k, v in digests.items()} if isinstance(digests, Mapping) else {}
    found |= {name: _digest(file) for name, file in carried_files(checkpoint, source).items()}
    folder = _files_in(Path(source))
    return found | {str(file): _digest(file.read_bytes()) for file in folder}


def carried_files(checkpoint: Mapping[str, Any], source: str | Path) -> dict[str, bytes]:
    """Return the tokenizer files that are embedded in a checkpoint, by their paths in training.

    Raises:
        CheckpointError: The files are damaged; the message names the checkpoint.
    """
    packed = checkpoint.get("meta", {}).get(METADATA_KEY)
    try:
        return unpack_files(packed if isinstance(packed, str) else "")
    except ValueError as error:
        raise CheckpointError(f"{source}: {error}") from error


def differing_tokenizers(
    config: Mapping[str, Any], checkpoint: Mapping[str, Any], source: str | Path
) -> list[TokenizerDifference]:
    """Return the tokenizers of a config that differ from all of a checkpoint.

    Only files of one kind are compared, such as two sentencepiece models. A checkpoint without
    tokenizers differs from none.
    """
    carried = carried_digests(checkpoint, source)
    differences = []
    for path, digest in tokenizer_digests(config).items():
        same_kind = {name: value for name, value in carried.items() if _kind(name) == _kind(path)}
        same_name = {n: v for n, v in same_kind.items() if Path(n).name == Path(path).name}
        if same_kind and digest not in same_kind.values():
            name, value = next(iter((same_name or same_kind).items()))
            differences.append(TokenizerDifference(path, digest[:12], name, value[:12]))
    return differences


def _kind(name: str) -> str:
    """Return the kind of a file: files of different kinds cannot be compared."""
    suffix = Path(name).suffix
    return "sentencepiece" if suffix in _SENTENCEPIECE else f"{Path(name).stem}{suffix}"


def _files_in(folder: Path) -> list[Path]:
    return [folder / name for name in _NAMES if (folder / name).is_file()]


def _folders(node: Any) -> Iterator[str]:
    """Yield the folders of tokenizers in a config."""
    if isinstance(node, Mapping):
        if str(node.get("type", "")).endswith("Tokenizer") and isinstance(node.get("folder"), str):
            yield node["folder"]
        for value in node.values():
            yield from _folders(value)
    elif isinstance(node, (list, tuple)):
        for value in node:
            yield from _folders(value)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
