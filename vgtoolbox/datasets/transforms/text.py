"""From an annotation's sentences to the token ids of one expression."""

from __future__ import annotations

import re
from typing import Any

from vgtoolbox.datasets.transforms.sample import Results, describe_sample
from vgtoolbox.registry import TOKENIZERS, TRANSFORMS

# Words that name a side of the image, with those that annotators make of them.
_SIDES = {
    f"left{ending}": f"right{ending}" for ending in ("", "most", "hand", "ward", "wards", "side")
} | {"lefty": "righty", "lefties": "righties"}
_MIRRORED = _SIDES | {right: left for left, right in _SIDES.items()}
_SIDE_WORD = re.compile(rf"\b(?:{'|'.join(sorted(_MIRRORED, key=len, reverse=True))})\b", re.I)

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


def clean_expression(text: str) -> str:
    """Lower the case, drop punctuation, and leave single blanks between the words."""
    return " ".join(text.lower().translate(_CLEANING).split())


@TRANSFORMS.register_module()
class ChooseExpression:
    """Set `expression` to one of the record's `expressions`, drawn at random from several."""

    def __call__(self, results: Results) -> Results:
        """Choose.

        Raises:
            ValueError: The record has no sentence.
        """
        sentences = results["expressions"]
        if not sentences:
            raise ValueError(f"{describe_sample(results)}: the annotation has no sentence")
        chosen = int(results["rng"].integers(len(sentences))) if len(sentences) > 1 else 0
        results["expression"] = sentences[chosen]
        return results


@TRANSFORMS.register_module()
class CleanExpression:
    """Clean `expression` as the published BEiT-3 systems do: lower case, no punctuation."""

    def __call__(self, results: Results) -> Results:
        """Clean.

        Raises:
            ValueError: Nothing is left.
        """
        cleaned = clean_expression(results["expression"])
        if not cleaned:
            raise ValueError(
                f"{describe_sample(results)}: the expression {results['expression']!r} is empty "
                "once punctuation is dropped; expected words"
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
