"""Read the special tokens of a published folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vgtoolbox.utils.text_files import read_text
from vgtoolbox.utils.values import excerpt

_MAX_ID = 2**24
"""Bound of token ids: a model has an embedding for each."""


def read_added_tokens(folder: Path) -> dict[str, int]:
    """Return the special tokens of a published folder and their ids.

    Raises:
        ValueError: `tokenizer_config.json` or `added_tokens.json` is damaged; the message names it.
    """
    config, added = folder / "tokenizer_config.json", folder / "added_tokens.json"
    decoder = _read_object(config).get("added_tokens_decoder", {})
    if not isinstance(decoder, dict):
        raise ValueError(
            f"{config}: 'added_tokens_decoder' must be an object, got {excerpt(decoder)}"
        )
    configured = {_content(entry, config): _number(key) for key, entry in decoder.items()}
    return {**_checked(configured, config), **_checked(_read_object(added), added)}


def _content(entry: Any, file: Path) -> Any:
    content = entry.get("content") if isinstance(entry, dict) else None
    if not isinstance(content, str):
        raise ValueError(
            f"{file}: a value of 'added_tokens_decoder' must be an object with the text 'content', "
            f"got {excerpt(entry)}"
        )
    return content


def _number(text: str) -> int | str:
    """Return an id that is a key of an object; a text that is not an id is returned as it is."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else text


def _checked(tokens: Mapping[str, Any], file: Path) -> Mapping[str, int]:
    for token, number in tokens.items():
        if not token or type(number) is not int or not 0 <= number < _MAX_ID:
            raise ValueError(
                f"{file} must map tokens to ids in [0, {_MAX_ID}), got {excerpt(token)}: "
                f"{excerpt(number)}; download it again"
            )
    return tokens


def _read_object(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file; empty if there is no such file."""
    if not file.is_file():
        return {}
    try:
        content = json.loads(read_text(file))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is truncated or not JSON: {error}; download it again") from None
    if not isinstance(content, dict):
        raise ValueError(f"{file} must be a JSON object, got {excerpt(content)}; download it again")
    return content
