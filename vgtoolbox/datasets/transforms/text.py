"""From an annotation's sentences to the token ids of one expression."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from vgtoolbox.datasets.records import targets_of
from vgtoolbox.datasets.transforms.sample import Results, describe_sample
from vgtoolbox.registry import TOKENIZERS, TRANSFORMS

# Words that name a side of the image, with those that annotators make of them.
_SIDES = {
    f"left{ending}": f"right{ending}" for ending in ("", "most", "hand", "ward", "wards", "side")
} | {"lefty": "righty", "lefties": "righties"}
_MIRRORED = _SIDES | {right: left for left, right in _SIDES.items()}
_SIDE_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_MIRRORED, key=len, reverse=True))})\b", re.I)

# Words after which an image can not be cut without changing what they name.
_POSITIONS = {*_MIRRORED, "top", "topmost", "bottom", "bottommost", "upper", "lower", "corner"} | {
    "middle",
    "center",
    "centre",
    "central",
}
_POSITION_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_POSITIONS, key=len, reverse=True))})\b", re.I)
_PUBLISHED_POSITIONS = ("left", "right", "top", "bottom", "middle")

# Published BEiT-3 grounding cleans so before tokenising (SimVG, InstanceVG).
_CLEANING = str.maketrans(dict.fromkeys(".,'!?\"()*#:;", "") | {"-": " ", "/": " "})


def swap_left_and_right(text: str) -> str:
    """Swap the words for left and right, as a mirrored image needs; applied twice, it is undone.

    Whole words only ("leftover" and "bright" stay; "left-hand" is swapped), case kept.
    """
    return _SIDE_WORD.sub(_swap_word, text)


def _swap_word(match: re.Match[str]) -> str:
    word = match.group()
    swapped = _MIRRORED[word.lower()]
    if word.isupper():
        return swapped.upper()
    return swapped.capitalize() if word[0].isupper() else swapped


def swap_side_letters(text: str) -> str:
    """Swap "left" and "right" wherever these letters stand, also within other words.

    A fault of TransVG's augmentation that EEVG and PLVL were trained with: "bright" -> "bleft".
    """
    return re.sub("left|right", lambda m: "right" if m.group() == "left" else "left", text)


def names_position(text: str) -> bool:
    """Tell whether one of the words names a place in the image."""
    return _POSITION_WORD.search(text) is not None


def contains_position(text: str) -> bool:
    """Tell whether the letters of left, right, top, bottom or middle stand anywhere in the text.

    As published (EEVG, PLVL); "laptop" and "bright" count.
    """
    return any(word in text for word in _PUBLISHED_POSITIONS)


def clean_expression(text: str) -> str:
    """Lower the case, drop punctuation, and leave single blanks between the words."""
    return " ".join(text.lower().translate(_CLEANING).split())


# Who cleans how before the tokenizer, as published.
CLEANINGS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "instancevg": clean_expression,
        "plvl": lambda text: text.lower().strip(),
        "mllmseg": lambda text: text.strip().lower().strip().strip("."),
        "uground": lambda text: text.strip().lower().rstrip("."),
        "none": str,
    }
)


@TRANSFORMS.register_module()
class ChooseExpression:
    """Set `expression` to one of the record's `expressions`, drawn at random from several.

    Where these do not all name the same (`expression_targets`: a ref of R-RefCOCO, a whole image),
    the record is left with the targets of the one that was drawn.
    """

    def __call__(self, results: Results) -> Results:
        """Choose.

        Raises:
            ValueError: The record has no sentence, or has had its targets loaded too early.
        """
        sentences = results["expressions"]
        if not sentences:
            raise ValueError(f"{describe_sample(results)}: the annotation has no sentence")
        chosen = int(results["rng"].integers(len(sentences))) if len(sentences) > 1 else 0
        results["expression"] = sentences[chosen]
        if "expression_targets" in results:
            if "boxes" in results:
                raise ValueError(
                    f"{describe_sample(results)}: its expressions name different targets; put "
                    "ChooseExpression before LoadTargets"
                )
            results["targets"] = targets_of(results, chosen)
            del results["expression_targets"]
        return results


@TRANSFORMS.register_module()
class CleanExpression:
    """Clean `expression` as one of the published systems does.

    Args:
        variant: "instancevg": lower case, no punctuation, hyphens and slashes are blanks;
            "plvl": lower case, blanks at the ends dropped; "mllmseg": that, and dots at the ends;
            "uground": that, and dots behind; "none": as it is (SegLLM).
    """

    def __init__(self, variant: str = "instancevg") -> None:
        if variant not in CLEANINGS:
            raise ValueError(f"variant must be one of {sorted(CLEANINGS)}, got {variant!r}")
        self.variant = variant

    def __call__(self, results: Results) -> Results:
        """Clean.

        Raises:
            ValueError: Nothing is left.
        """
        cleaned = CLEANINGS[self.variant](results["expression"])
        if not cleaned.strip():
            raise ValueError(
                f"{describe_sample(results)}: the expression {results['expression']!r} is empty "
                f"once cleaned as {self.variant!r}; expected words"
            )
        results["expression"] = cleaned
        return results


@TRANSFORMS.register_module()
class TokenizeExpression:
    """Turn `expression` into `token_ids` (T,) long and `text_padding_mask` (T,) bool.

    Args:
        tokenizer: Config of a tokenizer, as dict(type="BEiT3Tokenizer", model_file=...), or one.
        max_tokens: T; longer expressions are cut, shorter ones padded.
    """

    def __init__(self, *, tokenizer: Any, max_tokens: int) -> None:
        self.tokenizer = TOKENIZERS.build(tokenizer) if isinstance(tokenizer, dict) else tokenizer
        self.max_tokens = max_tokens

    def __call__(self, results: Results) -> Results:
        """Tokenise.

        Raises:
            ValueError: The expression is empty.
        """
        try:
            token_ids, padding = self.tokenizer(results["expression"], self.max_tokens)
        except ValueError as error:
            raise ValueError(f"{describe_sample(results)}: {error}") from error
        results["token_ids"], results["text_padding_mask"] = token_ids, padding
        return results
