"""Swap the words for left and right in expressions of mirrored images."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _alternatives(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


# Doubled, dropped, transposed and neighboring letters of annotators; none is an English word.
_MISSPELLED_LEFT = _words(
    "lefft leftt lleft leeft lefet elft lfet letf leff lef lft ledt lefr lefy legt lwft leftr leftf"
)
_MISSPELLED_RIGHT = _words(
    "rright riight rigght righht rightt rihgt rigth rgiht irght rigt righ rght riht rigjt rifht "
    "rihght righr righy roght rught rigtht rightr rigfht"
)
_CORE: Mapping[str, str] = MappingProxyType(
    {
        "left": "left",
        "right": "right",
        "rt": "right",  # an abbreviation of annotators; "lt" is rather "light"
        **dict.fromkeys(_MISSPELLED_LEFT, "left"),
        **dict.fromkeys(_MISSPELLED_RIGHT, "right"),
    }
)
_OPPOSITE: Mapping[str, str] = MappingProxyType({"left": "right", "right": "left"})

_PLACE = "top bottom upper lower front back rear mid middle cent(?:er|re)"
_GLUED_BEFORE = _words(f"{_PLACE} far most furthest farthest on at in to from of the and side")
_GLUED_AFTER = _words(
    f"{_PLACE} most est ermost hand handed hander side sided ward wards ish y ie ies corner edge "
    "end half part third facing of and image picture pic photo man men guy guys girl boy woman "
    "lady person kid one"
)
_WORD = re.compile(r"[^\W\d_]+")
_SIDE = re.compile(
    rf"(?:(?<=\d)(?:st|nd|rd|th))?(?:{_alternatives(_GLUED_BEFORE)})*"
    rf"(?P<core>{_alternatives(_CORE.keys() - {'rt'})})"
    rf"(?:{_alternatives(_GLUED_AFTER)})*|(?P<short>rt)",
    re.I | re.A,
)

# Words after which "right" and "left" name a side, whatever follows: "on the right behind the car".
_CUES = _words(
    "the a on to at from in of toward towards far farther farthest further furthest "  # prose: ok
    "most very extreme upper lower top bottom back front rear middle mid center slightly "
    "his her its their my your our s"
)
_ARTICLES = frozenset({"the", "a"})
_PREPOSITIONS = _words("on to at from in of toward towards")  # prose: ok
_PRONOUNS = _words("he she it that this who what which there")

# "right" in the sense of "directly", by the words after it.
_DIRECTLY = re.compile(
    r"(?:next|nextto|behind|above|below|under|underneath|beneath|besides?|by|near"  # prose: ok
    r"|against|alongside|along|inside|outside|between|across|around|opposite|before|after|there|here|now"
    r"|away|past|through|where|when|at|off"
    r"|infront|in (?:the )?(?:very )?(?:front|middle|cent(?:er|re)|between|back)"
    r"|on (?:the )?(?:top|edge)|to the (?:left|right)|out of|close (?:to|by)"
    r"|up (?:against|to|front|close|by|next))\b"
)
_IDIOM = re.compile(r"(?:angles?|angled|of way|way (?:up|round)|side up|time|amount|moment)\b")

# "left" as a participle. "right" stays there too, so that swapping twice restores the text.
_LEFTOVER = re.compile(r"(?:overs?|behind)\b")
_STATE = "out|open|alone|unattended|untouched|uneaten|unfinished|empty|blank"
_AFTER_WAS = re.compile(
    rf"(?:on|in|at|by|under|with|without|inside|outside|there|here|near|for|{_STATE})\b|$"
)
_AFTER_IS = re.compile(rf"(?:on|{_STATE})\b")
_STATE_AT_END = re.compile(
    rf"(?:{_STATE})(?:$| (?:and|on|in|at|by|for|with|near|next|behind|under)\b)"
)
_WAS = _words("was were been being be got getting")
_LEAVING = _words("has have had having just already who which he she they it")
_DETERMINER = re.compile(r"(?:the|an?|his|her|their|its|this|that|some|no|all)\b")

_CONTEXT = 64  # characters before and after a word
_END_OF_PHRASE = re.compile(r"[^\w\s'\u2019/-]")

# Common words for left and right in other languages with Latin letters, which are not swapped.
_OTHER_LANGUAGES = _words(
    "links rechts linke linken linker linkes linkem rechte rechten rechter rechtes rechtem linkse "
    "rechtse linkerkant rechterkant gauche gauches droite droites izquierda izquierdo izquierdas "
    "izquierdos derecha derecho derechas derechos esquerda esquerdo direita direito esquerra "
    "dreta sinistra sinistro destra destro stânga dreapta vänster vänstra höger högra venstre "
    "højre høyre vasen vasemmalla vasemman oikea oikealla oikean lewo lewy lewa lewej lewym prawo "
    "prawy prawa prawej prawym vlevo vpravo levý pravý levá pravá balra jobbra sağ sağda sağdaki "
    "solda soldaki trái phải kiri kanan"
)


def swap_left_and_right(text: str, extra_words: Mapping[str, str] | None = None) -> str:
    """Swap the words for left and right of a mirrored image; case is kept.

    Whole words are swapped, with their endings ("left-hand", "rightest", "lefty") and glued
    together ("topright"), but not "leftover" or "bright". Common misspellings are corrected by the
    swap ("lefft" becomes "right"). A word that names no side stays: "right" in the sense of
    "directly" ("right next to", "right behind", but not "on the right behind the car"), in
    "right angle" and "right of way", and "left" as a participle ("left behind", "left over", "was
    left on the table", "who has left the table"). If in doubt, the word names a side.

    Applied twice, correctly spelled text is unchanged, except that "left" before a preposition, but
    not after a word such as "the" or "on", becomes a "right" that stays ("man left by car").

    Args:
        text: Expression in English.
        extra_words: Further pairs of words, such as `{"links": "rechts", "左": "右"}`. Words in
            Latin letters are swapped as whole words, others anywhere. If `None`, there are none.
    """
    parts = []
    end = 0
    for start, stop in _side_spans(text):
        word = text[start:stop]
        parts += [text[end:start], _keep_case(word, _OPPOSITE[_CORE[word.lower()]])]
        end = stop
    swapped = "".join([*parts, text[end:]])
    if not extra_words:
        return swapped
    opposites, pattern = _extra_pattern(tuple(extra_words.items()))
    return pattern.sub(lambda m: _keep_case(m[0], opposites.get(m[0].casefold(), m[0])), swapped)


def names_side(text: str) -> bool:
    """Return whether a word names the left or the right side of the image."""
    return any(True for _ in _side_spans(text))


def has_unknown_words(text: str, extra_words: Mapping[str, str] | None = None) -> bool:
    """Return whether the text may name a side by a word that `swap_left_and_right` does not know.

    This is the case if it has letters that are not Latin, invisible characters, or a common word
    for left or right in another language.

    Args:
        text: Expression.
        extra_words: Further pairs of words, as in `swap_left_and_right`. The words and their
            alphabets are known. If `None`, there are none.
    """
    known = {word.casefold() for pair in (extra_words or {}).items() for word in pair}
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
        alphabets = {_alphabet(letter) for word in known for letter in word} | {"", "LATIN"}
        if any(_alphabet(letter) not in alphabets for letter in text):
            return True
    words = {word.casefold() for word in _WORD.findall(text)}
    return not words.isdisjoint(_OTHER_LANGUAGES - known)


def check_extra_words(extra_words: Mapping[str, str]) -> None:
    """Raise ValueError unless each word has exactly one opposite.

    Args:
        extra_words: Pairs of words, as in `swap_left_and_right`.
    """
    words = [word.casefold() for pair in extra_words.items() for word in pair]
    repeated = sorted({word for word in words if words.count(word) > 1 or word in _OPPOSITE})
    if repeated or not all(words):
        raise ValueError(
            "extra_words must be pairs of different words, each word in one pair only, and neither "
            f"left nor right, got {dict(extra_words)}"
        )


def _side_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of "left" and "right", within a word or misspelled, that name a side."""
    for word in _WORD.finditer(text):
        side = _SIDE.fullmatch(text, word.start(), word.end())
        if side is None:
            continue
        span = side.span("core") if side["core"] else side.span("short")
        if span != word.span() or _names_side_there(text, span):
            yield span


def _names_side_there(text: str, span: tuple[int, int]) -> bool:
    """Return whether "left" or "right" at a span names a side, by the words around it."""
    start, end = span
    core = _CORE[text[start:end].lower()]
    head, tail = text[max(0, start - _CONTEXT) : start], text[end : end + _CONTEXT]
    before = [word.lower() for word in _WORD.findall(_END_OF_PHRASE.split(head)[-1])]
    after = " ".join(_WORD.findall(_END_OF_PHRASE.split(tail, maxsplit=1)[0].lower()))
    earlier, previous = ["", "", *before][-2:]
    if previous == "s" and earlier in _PRONOUNS:
        previous = "is"
    if core == "right" and _IDIOM.match(after):
        return False
    is_cued = previous in _CUES or (previous in ("and", "or") and earlier in _CORE)
    if _LEFTOVER.match(after):
        return is_cued and (previous not in _ARTICLES or earlier in _PREPOSITIONS)
    if is_cued:
        return True
    if core == "right" and _DIRECTLY.match(after):
        return False
    return not _is_participle(core, earlier, previous, after)


def _is_participle(core: str, earlier: str, previous: str, after: str) -> bool:
    """Return whether "left" is the past of "leave", by the words before and after it."""
    if previous in _WAS and _AFTER_WAS.match(after):
        return True
    if previous in ("is", "are") and _AFTER_IS.match(after):
        return True
    if core == "right":
        return False
    if previous in ("is", "was") and earlier == "what":
        return True
    if previous in _LEAVING and _DETERMINER.match(after):
        return True
    return (previous in ("has", "have", "had") and not after) or bool(_STATE_AT_END.match(after))


def _keep_case(word: str, new: str) -> str:
    if word.isupper():
        return new.upper()
    return new.capitalize() if word[0].isupper() else new


@lru_cache(maxsize=8)
def _extra_pattern(pairs: tuple[tuple[str, str], ...]) -> tuple[dict[str, str], re.Pattern[str]]:
    """Return the opposite of each word, and a pattern that finds the words."""
    opposites = {one.casefold(): other for one, other in pairs}
    opposites |= {other.casefold(): one for one, other in pairs}
    letter = r"[^\W\d_]"
    words = sorted(opposites, key=len, reverse=True)
    found = [
        rf"(?<!{letter}){re.escape(word)}(?!{letter})"
        if all(_alphabet(character) in ("", "LATIN") for character in word)
        else re.escape(word)
        for word in words
    ]
    return opposites, re.compile("|".join(found), re.I)


def _alphabet(character: str) -> str:
    """Return the alphabet of a letter, "FORMAT" for an invisible character, or an empty text."""
    category = unicodedata.category(character)
    if category == "Cf":
        return "FORMAT"
    if category[0] != "L":
        return ""
    return unicodedata.name(character, "UNKNOWN").split()[0]
