"""Find problems of expressions and of the names of splits."""

from __future__ import annotations

from collections.abc import Iterator

from vgtoolbox.datasets.annotations.split_names import intended_split
from vgtoolbox.utils.text import escape_invisible, has_lone_surrogate, has_words

MAX_WORDS = 100
"""Number of words beyond which an expression is probably a caption or a paragraph."""
_MAX_CHARACTERS = 1000
_SHOWN = 80


def find_expression_problems(text: str) -> Iterator[tuple[str, str]]:
    """Yield (kind, message) of each problem of an expression; the kinds are `PROBLEM_KINDS`.

    An expression without a letter, digit or pictograph is empty. Training is stricter in no case:
    its cleanings drop punctuation and spaces.
    """
    if has_lone_surrogate(text):
        yield "expression-characters", f"half a character (a lone surrogate) in {_shown(text)}"
    elif not has_words(text):
        yield "expression-empty", _shown(text)
    elif escape_invisible(text, keep=_HARMLESS) != text:
        yield "expression-characters", f"control or invisible characters in {_shown(text)}"
    words = len(text.split())
    if words > MAX_WORDS or len(text) > _MAX_CHARACTERS:
        yield "expression-long", f"{words} words, {len(text)} characters: {_shown(text)}"


def find_split_problem(split: str) -> str | None:
    """Return what is wrong with the name of a split, or `None`."""
    intended = intended_split(split)
    return None if intended is None else f"{split!r}; did you mean {intended!r}?"


# Spaces, and the zero-width characters of emojis and of Persian and Indian scripts.
_HARMLESS = "\n\r\t\u200c\u200d"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}...")
