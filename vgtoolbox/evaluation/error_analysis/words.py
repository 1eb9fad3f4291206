"""Classify expressions by the word categories they contain."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


WORD_CATEGORIES = {
    "position": _words(
        "left right top bottom upper lower above below under over behind front back middle center "
        "between next near nearest far farthest furthest closest corner side edge "
        "leftmost rightmost inside outside highest lowest centre beside"  # prose: ok
    ),
    "color": _words(
        "red green blue yellow orange purple violet pink brown black white gray beige tan "
        "gold golden silver blond blonde cyan magenta turquoise teal maroon navy dark light "
        "colorful grey colourful"  # prose: ok
    ),
    "number": _words(
        "one two three four five six seven eight nine ten both all every each pair couple several "
        "many first second third fourth fifth last single only"
    ),
}
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
_NUMERAL = re.compile(r"\d+(st|nd|rd|th)?")


def expression_words(expression: str) -> list[str]:
    """Return the words of an expression, in lower case and without punctuation."""
    return _WORD.findall(expression.lower())


def word_categories(expression: str) -> list[str]:
    """Return the `WORD_CATEGORIES` of the words of an expression, or ["none"] if it has none.

    Numerals belong to "number".
    """
    words = expression_words(expression)
    categories = [name for name, known in WORD_CATEGORIES.items() if not known.isdisjoint(words)]
    if "number" not in categories and any(_NUMERAL.fullmatch(word) for word in words):
        categories.append("number")
    return categories or ["none"]
