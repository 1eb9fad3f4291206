"""Handle text that is not valid Unicode or has no visible characters.

Python represents the bytes of a file name that are not UTF-8 by lone surrogates, U+DC80 to U+DCFF
(PEP 383): Latin-1's "é" becomes U+DCE9. JSON files may have other lone surrogates, halves of a
character that a tool has cut in two. Neither can be encoded as UTF-8.
"""

from __future__ import annotations

import json
import unicodedata
from typing import Any

_SHOWN = 80
_WORD_CATEGORIES = ("L", "N", "So")
_CONTROL_CATEGORIES = ("Cc", "Cf", "Cs", "Zl", "Zp")
_INVISIBLE_CATEGORIES = (*_CONTROL_CATEGORIES, "Z")


def encode_json(value: Any, *, indent: int | None = None) -> bytes:
    """Return JSON in UTF-8; lone surrogates are escaped.

    In a file name that is not UTF-8, the byte E9 becomes the escape of U+DCE9. The loaded text
    opens the file again, and `os.fsencode(json.loads(line)["image"])` returns the original bytes.

    Args:
        value: Plain values without NaN.
        indent: Spaces of indentation. If `None`, everything is on one line.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    return encode_text(text)


def encode_text(text: str) -> bytes:
    """Return text in UTF-8; lone surrogates become their escapes."""
    return text.encode("utf-8", "backslashreplace")


def has_lone_surrogate(text: str) -> bool:
    """Return whether a text has half a character, which cannot be encoded."""
    if text.isascii():
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def check_encodable(text: str, what: str = "the text") -> None:
    """Raise unless a text can be encoded.

    Args:
        text: Text.
        what: Name of the text, for the error.

    Raises:
        ValueError: The text has a lone surrogate.
    """
    if has_lone_surrogate(text):
        raise ValueError(
            f"{what} must be whole characters, got half a character (a lone surrogate) in "
            f"{_shortened(text)!r}; it was cut within a character or is not UTF-8, write it again"
        )


def is_visible(text: str) -> bool:
    """Return whether a text has a character other than spaces, controls and invisible ones."""
    return any(
        not unicodedata.category(character).startswith(_INVISIBLE_CATEGORIES) for character in text
    )


def has_words(text: str) -> bool:
    """Return whether a text has a letter, a digit or a pictograph, such as an emoji.

    Punctuation, spaces, control characters and invisible characters do not count.
    """
    return any(unicodedata.category(character).startswith(_WORD_CATEGORIES) for character in text)


def escape_invisible(text: str, *, keep: str = "") -> str:
    """Return text for a message, with control and invisible characters and surrogates escaped.

    A terminal obeys control characters, and a file name may have line breaks.

    Args:
        text: Text with names of unknown origin.
        keep: Characters that are not escaped.
    """
    if text.isprintable():
        return text
    return "".join(
        repr(character)[1:-1]
        if character not in keep and unicodedata.category(character) in _CONTROL_CATEGORIES
        else character
        for character in text
    )


def _shortened(text: str) -> str:
    """Return the text around its first lone surrogate."""
    first = next(i for i, character in enumerate(text) if "\ud800" <= character <= "\udfff")
    start = max(0, first - _SHOWN // 2)
    return text[start : start + _SHOWN]
