"""Conversations about an image, whose answers name targets by marks."""

from __future__ import annotations

import re
from dataclasses import dataclass

IMAGE_MARK = "<image>"
"""Position of the image in a question."""

TARGET_MARK = "[SEG]"
"""Mark in an answer that represents a target."""

REJECT_MARK = "[REJ]"
"""Mark in an answer that rejects an expression, which names nothing in the image."""

_MARKS = re.compile(f"{re.escape(TARGET_MARK)}|{re.escape(REJECT_MARK)}")


@dataclass(frozen=True)
class Turn:
    """One question and its answer.

    Attributes:
        question: Question; that of the first turn contains `IMAGE_MARK`.
        answer: Answer with a mark for each target or rejection.
    """

    question: str
    answer: str


@dataclass(frozen=True)
class Conversation:
    """Turns about one image, and the targets that the marks in their answers represent.

    Attributes:
        turns: Questions and answers, in order.
        targets: Indices of the sample's targets whose union a mark represents, for each mark in the
            answers, in order; empty for `REJECT_MARK`.

    Raises:
        ValueError: A question contains a mark, or `targets` does not fit the marks of the answers.
    """

    turns: tuple[Turn, ...]
    targets: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        for turn in self.turns:
            if _MARKS.search(turn.question):
                raise ValueError(
                    f"questions must not contain {TARGET_MARK} or {REJECT_MARK}, got "
                    f"{turn.question!r}; remove these tokens from the expressions"
                )
        marks = [mark for turn in self.turns for mark in _MARKS.findall(turn.answer)]
        if len(marks) != len(self.targets):
            raise ValueError(
                f"answers must have one {TARGET_MARK} or {REJECT_MARK} for each of the "
                f"{len(self.targets)} targets, got {len(marks)}; remove these tokens from the "
                "expressions"
            )
        for mark, targets in zip(marks, self.targets, strict=True):
            if (mark == REJECT_MARK) == bool(targets):
                raise ValueError(
                    f"{mark} must {'not ' if targets else ''}have targets, got {targets}; write "
                    f"{TARGET_MARK} for targets and {REJECT_MARK} for none"
                )
