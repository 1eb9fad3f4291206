"""Of what an expression speaks, as far as single words tell."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


WORD_KINDS = {
    "position": _words(
        "left right top bottom upper lower above below under over behind front back middle center "
        "centre between next beside near nearest far farthest furthest closest corner side edge "
        "leftmost rightmost inside outside highest lowest"
    ),
    "colour": _words(
        "red green blue yellow orange purple violet pink brown black white gray grey beige tan "
        "gold golden silver blond blonde cyan magenta turquoise teal maroon navy dark light "
        "colorful colourful"
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


def word_kinds(expression: str) -> list[str]:
    """Return which of `WORD_KINDS` the expression has words of; ["none"] where of none.

    Numerals count as words of number.
    """
    words = expression_words(expression)
    kinds = [kind for kind, known in WORD_KINDS.items() if not known.isdisjoint(words)]
    if "number" not in kinds and any(_NUMERAL.fullmatch(word) for word in words):
        kinds.append("number")
    return kinds or ["none"]
