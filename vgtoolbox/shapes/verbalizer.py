"""Verbalize programs in English, by templates with synonyms that do not change the targets.

A phrase consists of a determiner, pre-modifiers, the noun with its attributes, and post-modifiers.
Sides are always separate words, "left" and "right", so the sentence of a mirrored image is obtained
by swapping the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import numpy as np

from vgtoolbox.shapes.attributes import COLORS, SHAPES, SIZES, TEXTURES
from vgtoolbox.shapes.programs import (
    Compare,
    Count,
    Except,
    Extent,
    Extreme,
    Filter,
    Nearest,
    Ordinal,
    Program,
    Region,
    Relate,
    Union,
)
from vgtoolbox.shapes.sampler import GrammaticalNumber

NOUNS: Final[dict[str | None, tuple[tuple[str, str], ...]]] = {
    "circle": (("circle", "circles"), ("disc", "discs")),
    "square": (("square", "squares"), ("box", "boxes")),
    "triangle": (("triangle", "triangles"),),
    "cross": (("cross", "crosses"), ("plus", "pluses")),
    None: (("thing", "things"), ("object", "objects"), ("shape", "shapes")),
}
ADJECTIVES: Final[dict[str, tuple[str, ...]]] = {
    "big": ("big", "large"),
    "small": ("small", "little"),
    "medium": ("medium", "medium sized"),
    "dotted": ("dotted", "spotted"),
}
NUMERALS: Final = ("one", "two", "three", "four")
ORDINALS: Final = ("first", "second", "third", "fourth")
REGION_TAILS: Final = {
    "left": ("on the left", "on the left side", "in the left half", "in the left part"),
    "right": ("on the right", "on the right side", "in the right half", "in the right part"),
    "top": ("at the top", "on the top side", "in the top half", "in the upper half"),
    "bottom": ("at the bottom", "on the bottom side", "in the bottom half", "in the lower half"),
}
EXTREME_HEADS: Final = {
    "left": ("far left",),
    "right": ("far right",),
    "top": ("highest", "uppermost"),
    "bottom": ("lowest",),
}
EXTREME_TAILS: Final = {
    side: (f"furthest to the {side}", f"closest to the {side} edge")
    for side in ("left", "right", "top", "bottom")
}
RELATION_TAILS: Final = {
    "left of": ("left of", "to the left of"),
    "right of": ("right of", "to the right of"),
    "above": ("above", "over", "higher than"),
    "below": ("below", "under", "lower than"),
}
COMPARISON_TAILS: Final = {
    "bigger": ("bigger than", "larger than"),
    "smaller": ("smaller than",),
}
EXTENT_HEADS: Final = {"biggest": ("biggest", "largest"), "smallest": ("smallest",)}


_T = TypeVar("_T")


@dataclass
class _Phrase:
    noun: Filter
    heads: list[str] = field(default_factory=list)
    tails: list[str] = field(default_factory=list)
    relative: list[str] = field(default_factory=list)
    excluded: Filter | None = None


class Verbalizer:
    """Verbalize programs in English, with randomly chosen words.

    Args:
        rng: Random generator; the only source of randomness.
        synonyms: Largest number of words for one meaning. If `None`, all of them are used.
    """

    def __init__(self, rng: np.random.Generator, *, synonyms: int | None = None) -> None:
        self.rng = rng
        self.synonyms = synonyms

    def verbalize(self, program: Program, number: GrammaticalNumber) -> str:
        """Return a lowercase sentence without punctuation.

        Args:
            program: Program to verbalize.
            number: Grammatical number. PLURAL requires a program that can name several objects.

        Raises:
            ValueError: A union is nested in another phrase.
        """
        if isinstance(program, Union):
            first = self._noun_phrase(program.first, number)
            # Without an article, "red dots and rings" would be understood as red rings.
            return f"{first} and {self._noun_phrase(program.second, number, bare=False)}"
        return self._noun_phrase(program, number)

    def _noun_phrase(
        self, program: Program, number: GrammaticalNumber, *, bare: bool = True
    ) -> str:
        phrase = _Phrase(noun=Filter())
        determiner = self._modify(phrase, program)
        if determiner is not None:
            return self._phrase(phrase, determiner, plural=number is GrammaticalNumber.PLURAL)
        articles = ("the", "the", "") if bare else ("the",)
        if number is GrammaticalNumber.SINGULAR:
            return self._phrase(phrase, self._pick(articles), plural=False)
        if number is GrammaticalNumber.PLURAL:
            determiner = self._pick((*articles, "all", "all the"))
            return self._phrase(phrase, determiner, plural=True, several=True)
        return self._universal(phrase)

    def _universal(self, phrase: _Phrase) -> str:
        only_color = phrase.noun == Filter(color=phrase.noun.color)
        if only_color and not phrase.heads and self._chance(0.6):
            tails = self._tails(phrase, plural=False, several=True)
            head = self._pick(("everything", "anything"))
            return _join(head, phrase.noun.color or "", *tails)
        if self._chance(0.35):
            determiner = self._pick(("all", "all the"))
            return self._phrase(phrase, determiner, plural=True, several=True)
        determiner = self._pick(("every", "every", "each"))
        return self._phrase(phrase, determiner, plural=False, several=True)

    def _phrase(
        self, phrase: _Phrase, determiner: str, *, plural: bool, several: bool = False
    ) -> str:
        noun = self._noun(phrase.noun, plural=plural)
        tails = self._tails(phrase, plural=plural, several=several)
        return _join(determiner, *phrase.heads, noun, *tails)

    def _modify(self, phrase: _Phrase, program: Program) -> str | None:
        """Write the modifiers of `program` into `phrase`; return the determiner if it sets one."""
        if isinstance(program, Union):
            raise ValueError(f"a union must be the outermost operation, got a nested {program}")
        if isinstance(program, Filter):
            phrase.noun = program
            return None
        if isinstance(program, Count):
            self._modify(phrase, program.operand)
            return self._count_determiner(program.number)
        self._modify(phrase, program.operand)
        if isinstance(program, Region):
            place = self._synonym(REGION_TAILS[program.side])
            whole = self._pick(("", "", "of the image", "of the picture"))
            phrase.tails.append(_join(place, whole))
        elif isinstance(program, Relate):
            words = self._synonym(RELATION_TAILS[program.relation])
            phrase.relative.append(_join(words, self._anchor(program.anchor)))
        elif isinstance(program, Compare):
            words = self._synonym(COMPARISON_TAILS[program.comparison])
            phrase.relative.append(_join(words, self._anchor(program.anchor)))
        elif isinstance(program, Nearest):
            words = self._synonym(("nearest to", "closest to"))
            phrase.relative.append(_join(words, self._anchor(program.anchor)))
        elif isinstance(program, Except):
            phrase.excluded = program.excluded
        else:
            return self._select(phrase, program)
        return None

    def _select(self, phrase: _Phrase, program: Extreme | Ordinal | Extent) -> str:
        if isinstance(program, Extent):
            phrase.heads.append(self._synonym(EXTENT_HEADS[program.extent]))
            return "the"
        if isinstance(program, Ordinal):
            phrase.heads.append(ORDINALS[program.rank - 1])
            phrase.tails.insert(0, f"from the {program.side}")
            return "the"
        if program.number > 1:
            phrase.heads.insert(0, NUMERALS[program.number - 1])
        # After "above the star", a tail would be understood as describing the star.
        if phrase.relative or phrase.tails or self._chance(0.5):
            phrase.heads.append(self._synonym(EXTREME_HEADS[program.side]))
        else:
            phrase.tails.append(self._synonym(EXTREME_TAILS[program.side]))
        return "the"

    def _exclusion(self, excluded: Filter, *, plural: bool, several: bool) -> str:
        """Return "that is not red" or, if there may be several, "except the red ones"."""
        adjective = self._adjectives(excluded)
        if several and self._chance(0.5):
            words = self._synonym(("except", "other than", "but not"))
            rest = self._noun(excluded, plural=True) if excluded.shape else f"{adjective} ones"
            return f"{words} the {rest}"
        words = f"{self._pick(('that', 'which'))} {'are' if plural else 'is'} not"
        if excluded.shape is None:
            return f"{words} {adjective}"
        return _join(words, "" if plural else "a", self._noun(excluded, plural=plural))

    def _count_determiner(self, number: int) -> str:
        if number == 1:
            return "the only"
        numeral = NUMERALS[number - 1]
        choices = [f"the {numeral}", f"all {numeral}", f"exactly {numeral}"]
        return self._pick(("both", "the two", "exactly two") if number == 2 else choices)

    def _anchor(self, program: Program) -> str:
        phrase = _Phrase(noun=Filter())
        self._modify(phrase, program)
        return self._phrase(phrase, "the", plural=False)

    def _tails(self, phrase: _Phrase, *, plural: bool, several: bool) -> list[str]:
        tails = [*phrase.tails, *phrase.relative]
        if len(phrase.relative) > 1:
            verb = "that are" if plural else "that is"
            tails = [*phrase.tails, verb, " and ".join(phrase.relative)]
        if phrase.excluded is not None:
            tails.append(self._exclusion(phrase.excluded, plural=plural, several=several))
        return tails

    def _noun(self, noun: Filter, *, plural: bool) -> str:
        regular = ((f"{noun.shape}", f"{noun.shape}s"),)
        return _join(
            self._adjectives(noun), self._synonym(NOUNS.get(noun.shape, regular))[int(plural)]
        )

    def _adjectives(self, noun: Filter) -> str:
        words = (noun.size, noun.texture, noun.color)
        return _join(*(self._synonym(ADJECTIVES.get(word, (word,))) for word in words if word))

    def _chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def _pick(self, options: Sequence[_T]) -> _T:
        return options[int(self.rng.integers(len(options)))]

    def _synonym(self, options: Sequence[_T]) -> _T:
        """Choose among synonyms."""
        return self._pick(options[: self.synonyms])


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)


def attribute_words(token: str) -> tuple[str, str] | None:
    """Return the (attribute, value) of a word in a sentence; `None` for other words."""
    for shape, synonyms in NOUNS.items():
        if shape is not None and any(token in forms for forms in synonyms):
            return "shape", shape
    singular = token.removesuffix("s")
    if singular in SHAPES:
        return "shape", singular
    value = next((word for word, said in ADJECTIVES.items() if token in said), token)
    for attribute, values in (("color", COLORS), ("texture", TEXTURES), ("size", SIZES)):
        if value in values:
            return attribute, value
    return None
