"""Write the conversations that language models are trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from vgtoolbox.datasets.transforms.sample import Results, SampleError, describe_sample
from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.structures import (
    REJECT_MARK,
    TARGET_MARK,
    Conversation,
    Turn,
    referring_prompts,
)
from vgtoolbox.utils.choices import check_choice

Packing = Literal["joint", "separate"]


@TRANSFORMS.register_module()
class WriteReferringConversations:
    """Write `conversations` about the `sampled_expressions` of an image in sampled wordings.

    Args:
        prompts: Wordings of questions and answers: a name in `structures.REFERRING_PROMPTS`, or the
            fields of `ReferringPrompts`.
        packing: "joint" for one conversation about all expressions, "separate" for one each.
        shared_question: Whether the separate conversations of an image have the same question, so
            that they share the prefix up to the expression, and not only up to the image.
            Expressions that are sentences (`sampled_query_kinds` "long") have other questions.

    Raises:
        ValueError: `prompts` or `packing` is unknown.
    """

    def __init__(
        self,
        *,
        prompts: str | Mapping[str, Any] = "mllmseg",
        packing: Packing = "joint",
        shared_question: bool = True,
    ) -> None:
        check_choice("packing", packing, get_args(Packing))
        self.prompts = referring_prompts(prompts)
        self.packing = packing
        self.shared_question = shared_question

    def __call__(self, results: Results) -> Results:
        """Set `conversations`.

        Raises:
            SampleError: An expression contains the mark of a target.
        """
        sampled = results["sampled_expressions"]
        groups = [sampled] if self.packing == "joint" else [[each] for each in sampled]
        kinds = results.get("sampled_query_kinds", ["short"] * len(sampled))
        are_long = [kind == "long" and self.packing == "separate" for kind in kinds]
        shared = _sample(self.prompts.questions, results)
        try:
            conversations = []
            for group, is_long in zip(groups, are_long, strict=False):
                question = self._question(group, results, shared, is_long=is_long)
                conversations.append(self._write(group, question, results))
        except ValueError as error:
            raise SampleError(f"{describe_sample(results)}: {error}") from error
        results["conversations"] = tuple(conversations)
        return results

    def _question(
        self,
        group: Sequence[tuple[str, list[int]]],
        results: Results,
        shared: int,
        *,
        is_long: bool,
    ) -> str:
        """Return a question about the expressions of a group."""
        if is_long and self.prompts.long_questions:
            index = _sample(self.prompts.long_questions, results)
            return self.prompts.question_about(group[0][0], index)
        index = shared if self.shared_question else _sample(self.prompts.questions, results)
        return self.prompts.question([expression for expression, _ in group], index)

    def _write(
        self, group: Sequence[tuple[str, list[int]]], question: str, results: Results
    ) -> Conversation:
        expressions = [expression for expression, _ in group]
        marks = [TARGET_MARK if targets else REJECT_MARK for _, targets in group]
        answer = self.prompts.answer(expressions, marks, _sample(self.prompts.answers, results))
        return Conversation(
            (Turn(question, answer),), tuple(tuple(targets) for _, targets in group)
        )


def _sample(wordings: Sequence[Any], results: Results) -> int:
    """Sample a wording for training, which are all but the first if there are more."""
    return 0 if len(wordings) == 1 else int(results["rng"].integers(1, len(wordings)))
