"""Conversation about one image, in which each question comes with the earlier rounds."""

from __future__ import annotations

from vgtoolbox.inference.inferencer import GroundingInferencer
from vgtoolbox.inference.inputs.sources import ImageLike
from vgtoolbox.inference.results.result import GroundingResult


class GroundingChat:
    """A conversation about one image.

    The results of earlier rounds are passed to the pipeline as `rounds` of the record. A system for
    several rounds reads them there; any other system answers each question independently.

    Args:
        inferencer: Inferencer that answers the questions.
        image: Image in any form that the inferencer accepts.
    """

    def __init__(self, inferencer: GroundingInferencer, image: ImageLike) -> None:
        self._inferencer = inferencer
        self._image = image
        self._rounds: list[GroundingResult] = []

    @property
    def rounds(self) -> tuple[GroundingResult, ...]:
        """Results so far; a later question refers to a round by its position."""
        return tuple(self._rounds)

    def ask(self, expression: str) -> GroundingResult:
        """Find what an expression names and append the result to `rounds`."""
        (item,) = self._inferencer.preprocess([(self._image, expression)], rounds=self.rounds)
        (result,) = self._inferencer.predict([item])
        self._rounds.append(result)
        return result

    def undo(self) -> GroundingResult:
        """Remove the last round and return it.

        Raises:
            IndexError: There is no round.
        """
        return self._rounds.pop()
