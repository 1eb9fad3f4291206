"""Wordings of the questions that language models are asked about expressions, and of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vgtoolbox.structures.conversation import IMAGE_MARK
from vgtoolbox.utils.choices import check_choice
from vgtoolbox.utils.templates import fill_template


@dataclass(frozen=True)
class ReferringPrompts:
    """Wordings of the request to segment one or several expressions, and of its answer.

    The first question and answer are for tests, the others for training if there are more.

    Attributes:
        questions: Questions with `{expressions}`, which is replaced by the expressions joined by
            ", ", in lower case and without a full stop.
        long_questions: Questions with `{expressions}` about a single expression that is a whole
            sentence, which is kept as it is. If empty, `questions` are used.
        answers: Pairs of an opening and an item with `{expression}` and `{token}`; items are joined
            by ", ".
        end: End of an answer.
        lower_case_tests: Whether the expressions of the first question are in lower case and
            without a full stop as well; otherwise only whitespace around them is removed.
    """

    questions: tuple[str, ...]
    answers: tuple[tuple[str, str], ...]
    end: str = "."
    long_questions: tuple[str, ...] = ()
    lower_case_tests: bool = True

    def question(self, expressions: Sequence[str], index: int = 0) -> str:
        """Return question `index` about the expressions."""
        clean = plain if index or self.lower_case_tests else _as_written
        joint = ", ".join(map(clean, expressions))
        return fill_template(self.questions[index], expressions=joint)

    def question_about(self, sentence: str, index: int = 0) -> str:
        """Return long question `index` about an expression that is a sentence."""
        if not self.long_questions:
            return self.question([sentence], min(index, len(self.questions) - 1))
        return fill_template(self.long_questions[index], expressions=_as_written(sentence))

    def answer(self, expressions: Sequence[str], tokens: Sequence[str], index: int = 0) -> str:
        """Return answer `index`, with the token of each expression."""
        opening, item = self.answers[index]
        items = [
            fill_template(item, expression=_without_mark(expression), token=token)
            for expression, token in zip(expressions, tokens, strict=True)
        ]
        return f"{opening}{', '.join(items)}{self.end}"


def plain(expression: str) -> str:
    """Return an expression in lower case, without spaces and full stops around it.

    The mark of the image in an expression, which would be a second image, becomes a word.
    """
    return _without_mark(expression.strip().lower().strip().strip("."))


def _as_written(expression: str) -> str:
    """Return an expression in its case, without whitespace around it."""
    return _without_mark(expression.strip())


def _without_mark(text: str) -> str:
    return text.replace(IMAGE_MARK, " image ")


REFERRING_PROMPTS: Mapping[str, ReferringPrompts] = {
    "lisa": ReferringPrompts(
        questions=(
            "<image>\n What is {expressions} in this image? Please output segmentation mask.",
            "<image>\nCan you segment the {expressions} in this image?",
            "<image>\nPlease segment the {expressions} in this image.",
            "<image>\nWhat is {expressions} in this image? Please respond with segmentation mask.",
            "<image>\nWhat is {expressions} in this image? Please output segmentation mask.",
        ),
        answers=(
            ("", "{token}"),
            ("It is ", "{token}"),
            ("Sure, ", "{token}"),
            ("Sure, it is ", "{token}"),
            ("Sure, the segmentation result is ", "{token}"),
            ("", "{token}"),
        ),
        long_questions=(
            "<image>\n {expressions} Please output segmentation mask.",
            "<image>\n{expressions} Please respond with segmentation mask.",
            "<image>\n{expressions} Please output segmentation mask.",
        ),
        lower_case_tests=False,
    ),
    "mllmseg": ReferringPrompts(
        questions=(
            "<image>\n What are {expressions}in this image? Please output segmentation masks.",
            "<image>\nCan you segment {expressions} in this image?",
            "<image>\nPlease segment {expressions} in this image.",
            "<image>\nWhat are {expressions} in this image? Please respond with segmentation "
            "masks.",
            "<image>\nWhat are {expressions} in this image? Please output segmentation masks.",
        ),
        answers=(
            ("Sure,", "{expression}:{token}"),
            ("The segmentation results are ", "{expression} {token}"),
            ("Sure, they are ", "{expression}:{token}"),
            ("Sure, ", "the mask of {expression} is {token}"),
            ("Sure, ", "the segmentation of {expression} is {token}"),
            ("Sure, ", "the referred {expression} is {token}"),
        ),
    ),
}
"""Published wordings by system, exact to the space."""


def referring_prompts(prompts: str | Mapping[str, Any]) -> ReferringPrompts:
    """Return the wordings of a name, or build them from their fields.

    Args:
        prompts: Name in `REFERRING_PROMPTS`, or the fields of `ReferringPrompts`.

    Raises:
        ValueError: The name is unknown.
    """
    if isinstance(prompts, str):
        check_choice("prompts", prompts, REFERRING_PROMPTS)
        return REFERRING_PROMPTS[prompts]
    fields = dict(prompts)
    for key in ("questions", "long_questions", "answers"):
        fields[key] = tuple(map(_frozen, fields.get(key, ())))
    return ReferringPrompts(**fields)


def _frozen(value: Any) -> Any:
    return value if isinstance(value, str) else tuple(value)
