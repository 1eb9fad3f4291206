"""Choose, clean and tokenize one expression of a record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from vgtoolbox.datasets.records import targets_of
from vgtoolbox.datasets.transforms.sample import Results, SampleError, describe_sample
from vgtoolbox.datasets.transforms.side_words import has_unknown_words, names_side
from vgtoolbox.datasets.transforms.side_words import swap_left_and_right as swap_left_and_right
from vgtoolbox.registry import TOKENIZERS, TRANSFORMS
from vgtoolbox.utils.choices import check_choice
from vgtoolbox.utils.text import check_encodable, is_visible

# Words whose meaning changes if the image is cropped.
_POSITIONS = {"top", "topmost", "bottom", "bottommost", "upper", "lower", "corner"} | {
    "middle",
    "center",
    "centre",  # prose: ok
    "central",
}
_POSITION_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_POSITIONS, key=len, reverse=True))})\b", re.I)
_PUBLISHED_POSITIONS = ("left", "right", "top", "bottom", "middle")

# Cleaning before tokenization in published BEiT-3 grounding (SimVG, InstanceVG).
_CLEANING = str.maketrans(dict.fromkeys(".,'!?\"()*#:;", "") | {"-": " ", "/": " "})


def swap_side_letters(text: str) -> str:
    """Swap the letters "left" and "right" anywhere, also within other words.

    A defect of TransVG's augmentation that EEVG and PLVL were trained with: "bright" -> "bleft".
    """
    return re.sub("left|right", lambda m: "right" if m.group() == "left" else "left", text)


def names_position(text: str) -> bool:
    """Return whether a word names a position in the image, or may do so in another language."""
    return _POSITION_WORD.search(text) is not None or names_side(text) or has_unknown_words(text)


def contains_position(text: str) -> bool:
    """Return whether the text contains the letters of left, right, top, bottom or middle.

    As published (EEVG, PLVL): "laptop" and "bright" count.
    """
    return any(word in text for word in _PUBLISHED_POSITIONS)


def clean_expression(text: str) -> str:
    """Convert to lower case, drop punctuation, and separate words by single spaces."""
    return " ".join(text.lower().translate(_CLEANING).split())


CLEANINGS: Mapping[str, Callable[[str], str]] = MappingProxyType(
    {
        "instancevg": clean_expression,
        "plvl": lambda text: text.lower().strip(),
        "mllmseg": lambda text: text.strip().lower().strip().strip("."),
        "uground": lambda text: text.strip().lower().rstrip("."),
        "none": str,
    }
)
"""Published cleaning before the tokenizer, by system."""


@TRANSFORMS.register_module()
class ChooseExpression:
    """Set `expression` to one of the record's `expressions`, drawn randomly if there are several.

    If these name different targets (`expression_targets`: a ref of R-RefCOCO, a whole image), the
    record keeps only the targets of the chosen one.
    """

    def __call__(self, results: Results) -> Results:
        """Choose.

        Raises:
            ValueError: The record has no sentences, its targets were loaded too early, or the
                chosen sentence has half a character (a lone surrogate).
        """
        sentences = results["expressions"]
        if not sentences:
            raise SampleError(
                f"{describe_sample(results)}: the annotation must have a sentence or more, got none"
            )
        chosen = int(results["rng"].integers(len(sentences))) if len(sentences) > 1 else 0
        check_encodable(sentences[chosen], f"{describe_sample(results)}: the expression")
        results["expression"] = sentences[chosen]
        if "expression_targets" in results:
            if "boxes" in results:
                raise SampleError(
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
        variant: "instancevg" converts to lower case, drops punctuation, and turns hyphens and
            slashes into spaces; "plvl" converts to lower case and strips spaces; "mllmseg" also
            strips dots at both ends, "uground" dots at the end; "none" changes nothing (SegLLM).
    """

    def __init__(self, variant: str = "instancevg") -> None:
        check_choice("variant", variant, CLEANINGS)
        self.variant = variant

    def clean(self, text: str) -> str:
        """Return the cleaned text, which may be empty."""
        return CLEANINGS[self.variant](text)

    def __call__(self, results: Results) -> Results:
        """Clean.

        Raises:
            SampleError: No visible text remains.
        """
        cleaned = self.clean(results["expression"])
        if not is_visible(cleaned):
            raise SampleError(
                f"{describe_sample(results)}: the expression {results['expression']!r} is empty "
                f"after cleaning as {self.variant!r}; write words"
            )
        results["expression"] = cleaned
        return results


def find_cleaning(steps: Iterable[Any]) -> Callable[[str], str] | None:
    """Return the cleaning of expressions among the steps of a pipeline, or `None`."""
    return next((step.clean for step in steps if isinstance(step, CleanExpression)), None)


@TRANSFORMS.register_module()
class TokenizeExpression:
    """Turn `expression` into `token_ids` (T,) long and `text_padding_mask` (T,) bool.

    Args:
        tokenizer: Tokenizer, or its config, as `dict(type="BEiT3Tokenizer", model_file=...)`.
        max_tokens: Number of tokens T; longer expressions are truncated, shorter ones padded.
    """

    def __init__(self, *, tokenizer: Any, max_tokens: int) -> None:
        self.tokenizer = TOKENIZERS.build(tokenizer) if isinstance(tokenizer, dict) else tokenizer
        self.max_tokens = max_tokens

    def __call__(self, results: Results) -> Results:
        """Tokenize.

        Raises:
            SampleError: The expression is empty.
        """
        try:
            token_ids, padding = self.tokenizer(results["expression"], self.max_tokens)
        except ValueError as error:
            raise SampleError(f"{describe_sample(results)}: {error}") from error
        results["token_ids"], results["text_padding_mask"] = token_ids, padding
        return results
