"""Several expressions about one image, one after the other, each with those before in view."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vgtoolbox.inference.inputs.sources import ImageLike
from vgtoolbox.inference.results.schemas import GroundingResult

if TYPE_CHECKING:
    from vgtoolbox.inference.inferencer import GroundingInferencer


class GroundingChat:
    """A conversation about one image.

    What was found in earlier rounds travels with a question as `rounds` of its record; a system
    for several rounds reads it in its pipeline, any other answers each question by itself.

    Args:
        inferencer: That answers.
        image: As the inferencer takes it.
    """

    def __init__(self, inferencer: GroundingInferencer, image: ImageLike) -> None:
        self._inferencer = inferencer
        self._image = image
        self._rounds: list[GroundingResult] = []

    @property
    def rounds(self) -> tuple[GroundingResult, ...]:
        """What was asked and answered so far; its masks are addressed by position."""
        return tuple(self._rounds)

    def ask(self, expression: str) -> GroundingResult:
        """Ask what an expression names, and note the answer."""
        (item,) = self._inferencer.preprocess([(self._image, expression)], rounds=self.rounds)
        (result,) = self._inferencer.answer([item])
        self._rounds.append(result)
        return result

    def take_back(self) -> GroundingResult:
        """Forget the last round, and return it.

        Raises:
            IndexError: Nothing was asked yet.
        """
        return self._rounds.pop()
