"""What the inferencer gives back."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import cast

from vgtoolbox.evaluation import PredictionRecord, prediction_record
from vgtoolbox.structures import RLE, GroundingDataSample


@dataclass(frozen=True)
class GroundingResult:
    """What was found for one (image, expression), in pixels of the original image.

    Attributes:
        id: Of the pair; a file can be named by it.
        image: Path, or a made-up name.
        expression: As it was asked.
        size: (H, W) of the image.
        boxes_xyxy: Q boxes, of all candidates: see `targets`.
        scores: Q, in 0..1.
        masks: Q run lengths, or none where the model predicts no instance masks.
        merged_mask: The one mask of all targets; None where the model predicts boxes only.
        no_target: The decision that the expression names nothing in the image.
        existence: Probability that it names something.
        text: What a language model answered.
    """

    id: str
    image: str
    expression: str
    size: tuple[int, int]
    boxes_xyxy: list[list[float]]
    scores: list[float]
    masks: list[RLE]
    merged_mask: RLE | None
    no_target: bool
    existence: float
    text: str | None = None

    @classmethod
    def from_data_sample(
        cls, sample: GroundingDataSample, *, expression: str | None = None
    ) -> GroundingResult:
        """Read the predictions of a sample.

        Args:
            sample: As a model returned it.
            expression: As it was asked; None takes the cleaned one that the model read.
        """
        fields = dict(prediction_record(sample))
        fields["size"] = tuple(cast(list[int], fields["size"]))
        if expression is not None:
            fields["expression"] = expression
        return cls(**fields)  # type: ignore[arg-type]

    def to_dict(self) -> PredictionRecord:
        """Return one line of `predictions.jsonl`, as plain values."""
        return cast(PredictionRecord, {**asdict(self), "size": list(self.size)})

    def targets(self, score_thr: float) -> list[int]:
        """Return the positions of the instances that are targets, the best first.

        Args:
            score_thr: Instances above it are; none where `no_target`.
        """
        if self.no_target:
            return []
        kept = [index for index, score in enumerate(self.scores) if score > score_thr]
        return sorted(kept, key=lambda index: -self.scores[index])
