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
        packing: "joint" for one conversation about all expressions; "separate" for one per
            expression, all with the same question, so that they share the prefix up to it.
    """

    def __init__(
        self, *, prompts: str | Mapping[str, Any] = "mllmseg", packing: Packing = "joint"
    ) -> None:
        check_choice("packing", packing, get_args(Packing))
        self.prompts = referring_prompts(prompts)
        self.packing = packing

    def __call__(self, results: Results) -> Results:
        """Set `conversations`.

        Raises:
            ValueError: An expression contains the mark of a target.
        """
        sampled = results["sampled_expressions"]
        groups = [sampled] if self.packing == "joint" else [[each] for each in sampled]
        question = self._sample(self.prompts.questions, results)
        try:
            results["conversations"] = tuple(
                self._write(group, question, self._sample(self.prompts.answers, results))
                for group in groups
            )
        except ValueError as error:
            raise SampleError(f"{describe_sample(results)}: {error}") from error
        return results

    def _write(
        self, group: Sequence[tuple[str, list[int]]], question: int, answer: int
    ) -> Conversation:
        expressions = [expression for expression, _ in group]
        marks = [TARGET_MARK if targets else REJECT_MARK for _, targets in group]
        turn = Turn(
            self.prompts.question(expressions, question),
            self.prompts.answer(expressions, marks, answer),
        )
        return Conversation((turn,), tuple(tuple(targets) for _, targets in group))

    @staticmethod
    def _sample(wordings: Sequence[Any], results: Results) -> int:
        """Sample a wording for training, which are all but the first if there are more."""
        return 0 if len(wordings) == 1 else int(results["rng"].integers(1, len(wordings)))
