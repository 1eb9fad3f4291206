"""What the inferencer gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray

from vgtoolbox.evaluation import PredictionRecord, prediction_record
from vgtoolbox.inference.results import exporters
from vgtoolbox.structures import (
    PUBLISHED_SCORE_THR,
    RLE,
    GroundingDataSample,
    clip_boxes,
    decode_masks,
    decode_masks_resized,
    encode_masks,
    rle_boxes_xyxy,
)

if TYPE_CHECKING:
    from supervision import Detections

Task = Literal["auto", "box", "mask", "both"]


@dataclass(frozen=True)
class GroundingResult:
    """What was found for one (image, expression), in pixels of the original image.

    Attributes:
        id: Of the pair; a file can be named by it.
        image: Path, address, or a made-up name.
        expression: As it was asked.
        size: (H, W) of the image.
        boxes_xyxy: Q boxes, of all candidates: see `targets`.
        scores: Q, in 0..1.
        masks: Q run lengths, or none where the model predicts no instance masks.
        merged_mask: The one mask of all targets; None where the model predicts boxes only.
        no_target: The decision that the expression names nothing in the image.
        existence: Probability that it names something.
        text: What a language model answered.
        points_xy: Q points that the candidates grew from, or none.
        score_thr: Candidates above it are targets.
        seconds: That its batch took in the model, by pair.
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
    points_xy: list[list[float]] = field(default_factory=list)
    score_thr: float = PUBLISHED_SCORE_THR
    seconds: float = field(default=0.0, compare=False)

    @classmethod
    def from_data_sample(
        cls,
        sample: GroundingDataSample,
        *,
        expression: str | None = None,
        score_thr: float = PUBLISHED_SCORE_THR,
        seconds: float = 0.0,
    ) -> GroundingResult:
        """Read the predictions of a sample.

        Args:
            sample: As a model returned it.
            expression: As it was asked; None takes the cleaned one that the model read.
            score_thr: Of the result.
            seconds: Of the result.
        """
        result = cls.from_dict(prediction_record(sample), score_thr=score_thr)
        asked = sample.expression if expression is None else expression
        points = _original_points(sample)
        return replace(result, expression=asked, points_xy=points, seconds=seconds)

    @classmethod
    def from_dict(
        cls, record: Mapping[str, Any], *, score_thr: float = PUBLISHED_SCORE_THR
    ) -> GroundingResult:
        """Read a line of `predictions.jsonl`; it holds neither points nor the threshold."""
        fields = dict(record)
        height, width = fields.pop("size")
        return cls(size=(int(height), int(width)), score_thr=score_thr, **fields)

    def to_dict(self) -> PredictionRecord:
        """Return one line of `predictions.jsonl`, as plain values."""
        keys = PredictionRecord.__required_keys__
        record = {
            key: getattr(self, key) for key in PredictionRecord.__annotations__ if key in keys
        }
        return cast(PredictionRecord, {**record, "size": list(self.size)})

    def targets(self, score_thr: float | None = None) -> list[int]:
        """Return the positions of the instances that are targets, the best first.

        Args:
            score_thr: Instances above it are, none where `no_target`; None takes the result's own.
        """
        if self.no_target:
            return []
        limit = self.score_thr if score_thr is None else score_thr
        kept = [index for index, score in enumerate(self.scores) if score > limit]
        return sorted(kept, key=lambda index: -self.scores[index])

    def dense_masks(self) -> NDArray[np.bool_]:
        """Return the masks of the targets, (N, H, W) bool, the best first."""
        chosen = [self.masks[index] for index in self.targets()] if self.masks else []
        return decode_masks(chosen, self.size).numpy()

    def to_coco(self, *, image_id: int = 0, category_id: int = 1) -> list[dict[str, Any]]:
        """Return the targets as COCO results; `exporters.coco_dataset` makes a whole file."""
        return exporters.coco_annotations(self, image_id=image_id, category_id=category_id)

    def to_supervision(self) -> Detections:
        """Return the targets as `supervision.Detections`.

        Raises:
            ImportError: supervision is not installed.
        """
        return exporters.supervision_detections(self)

    def to_labelstudio(self) -> dict[str, Any]:
        """Return a task of Label Studio with the targets as a prediction that people correct."""
        return exporters.labelstudio_task(self)

    def reduced(self, *, tasks: Task = "auto", topk: int | None = None) -> GroundingResult:
        """Return what is asked for alone.

        Args:
            tasks: "box" leaves the masks out; "mask" takes boxes for the extents of masks; "both"
                wants both; "auto" is what the model gives.
            topk: At most so many candidates, those of the highest scores, in their order. The
                merged mask stays: it is the model's word on all targets.

        Raises:
            ValueError: Masks are asked for, and the model predicts none; or no such task.
        """
        if tasks not in get_args(Task):
            raise ValueError(f"tasks must be one of {', '.join(get_args(Task))}, got {tasks!r}")
        if topk is not None and topk < 1:
            raise ValueError(f"topk must be 1 or more, got {topk}")
        if tasks in ("mask", "both") and self.merged_mask is None and not self.masks:
            raise ValueError(f"tasks={tasks!r} asks for masks, but this model predicts boxes only")
        result = self if topk is None else self._best(topk)
        if tasks == "box":
            return replace(result, masks=[], merged_mask=None)
        if tasks == "mask" and result.masks:
            return replace(result, boxes_xyxy=rle_boxes_xyxy(result.masks).tolist())
        return result

    def _best(self, count: int) -> GroundingResult:
        ranked = sorted(range(len(self.scores)), key=lambda index: -self.scores[index])
        kept = sorted(ranked[:count])
        return replace(
            self,
            boxes_xyxy=[self.boxes_xyxy[index] for index in kept],
            scores=[self.scores[index] for index in kept],
            masks=[self.masks[index] for index in kept] if self.masks else [],
            points_xy=[self.points_xy[index] for index in kept] if self.points_xy else [],
        )

    def resized(self, size: tuple[int, int]) -> GroundingResult:
        """Return the same for the image at another size (H, W)."""
        if size == self.size:
            return self
        factor = torch.tensor([size[1] / self.size[1], size[0] / self.size[0]])
        boxes = torch.tensor(self.boxes_xyxy).reshape(-1, 4) * factor.repeat(2)
        points = torch.tensor(self.points_xy).reshape(-1, 2) * factor
        merged = None if self.merged_mask is None else self._resized_mask(self.merged_mask, size)
        return replace(
            self,
            size=size,
            boxes_xyxy=clip_boxes(boxes, size).tolist(),
            points_xy=points.tolist(),
            masks=[self._resized_mask(mask, size) for mask in self.masks],
            merged_mask=merged,
        )

    def _resized_mask(self, mask: RLE, size: tuple[int, int]) -> RLE:
        # One at a time: those of a large image would fill gigabytes together.
        return encode_masks(decode_masks_resized([mask], self.size, size))[0]


def _original_points(sample: GroundingDataSample) -> list[list[float]]:
    """Return the points of the predictions in the original frame; none where there are none."""
    instances = sample.get("pred_instances")
    if instances is None or "points_xy" not in instances:
        return []
    points = instances.points_xy.cpu()
    if sample.get("pred_frame", "original") == "input":
        points = points / points.new_tensor(sample.scale_factor)
    return points.tolist()
