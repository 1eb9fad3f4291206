"""Result of one image and expression."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from vgtoolbox.evaluation import PredictionRecord, prediction_record
from vgtoolbox.inference.inputs.images import downscale_to_limit, read_image
from vgtoolbox.inference.inputs.sources import ImageLike
from vgtoolbox.inference.results.exporters import (
    coco_annotations,
    labelstudio_task,
    supervision_detections,
)
from vgtoolbox.inference.results.target import Target
from vgtoolbox.structures import (
    PUBLISHED_SCORE_THR,
    RLE,
    GroundingDataSample,
    check_prediction,
    clip_boxes,
    decode_masks,
    decode_masks_resized,
    encode_masks,
    rle_areas,
    rle_boxes_xyxy,
)
from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.utils.choices import check_choice
from vgtoolbox.utils.text import encode_json, encode_text, escape_invisible
from vgtoolbox.visualization import prediction_panel
from vgtoolbox.visualization.drawing import RGBImage
from vgtoolbox.visualization.image_file import save_image
from vgtoolbox.visualization.overlay import Layer

if TYPE_CHECKING:
    from pandas import DataFrame
    from supervision import Detections

Outputs = Literal["auto", "box", "mask", "both"]
Points = tuple[tuple[float, float], ...]

_PLOT_LAYERS: tuple[Layer, ...] = ("masks", "boxes", "labels")
_COLUMNS = ("image", "expression", "target", "score", "x1", "y1", "x2", "y2", "mask_area")


@dataclass(frozen=True, repr=False)
class GroundingResult:
    """Targets of one expression in one image, in pixels of the original image.

    `len(result)` is the number of targets, and iterating yields them, best first.

    Attributes:
        record: Predictions as one line of `predictions.jsonl`, the only schema of predictions.
        score_thr: Score above which a candidate is a target.
        points_xy: Prior point of each candidate; empty if the system has none.
        seconds: Model time of its batch divided by the size of the batch.
        source: Image as it was given: a path, a URL or the image object itself, of which only a
            reference is kept. `plot` draws over it. If `None`, `record["image"]` is read.
    """

    record: PredictionRecord
    score_thr: float = PUBLISHED_SCORE_THR
    points_xy: Points = ()
    seconds: float = field(default=0.0, compare=False)
    source: ImageLike | None = field(default=None, compare=False)

    @classmethod
    def from_data_sample(
        cls,
        sample: GroundingDataSample,
        *,
        expression: str | None = None,
        score_thr: float = PUBLISHED_SCORE_THR,
        seconds: float = 0.0,
        source: ImageLike | None = None,
    ) -> GroundingResult:
        """Read the predictions of a data sample.

        Args:
            sample: Sample returned by a model.
            expression: Expression as the user wrote it. If `None`, the cleaned expression that the
                model read.
            score_thr: Score threshold that the predictions were made with.
            seconds: Model time of the sample.
            source: Image as it was given.
        """
        record = prediction_record(sample)
        if expression is not None:
            record["expression"] = expression
        return cls(record, score_thr, _original_points(sample), seconds, source)

    @classmethod
    def from_dict(
        cls, record: Mapping[str, Any], *, score_thr: float = PUBLISHED_SCORE_THR
    ) -> GroundingResult:
        """Read one line of `predictions.jsonl`, which has neither points nor a threshold.

        Raises:
            GeometryError: A key is missing or its value is invalid.
        """
        return cls(cast(PredictionRecord, check_prediction(record)), score_thr)

    @property
    def id(self) -> str:
        """Name of the pair of image and expression; usable as a file name."""
        return self.record["id"]

    @property
    def image(self) -> str:
        """Path or URL of the image, or a name made from its position."""
        return self.record["image"]

    @property
    def expression(self) -> str:
        """Expression as the user wrote it."""
        return self.record["expression"]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the image."""
        height, width = self.record["size"]
        return int(height), int(width)

    @property
    def no_target(self) -> bool:
        """Decision of the model that the expression names nothing in the image."""
        return self.record["no_target"]

    @property
    def existence(self) -> float:
        """Probability in [0, 1] that the expression names something in the image."""
        return self.record["existence"]

    @property
    def text(self) -> str | None:
        """Answer of a language model; `None` for other systems."""
        return self.record["text"]

    @property
    def merged_mask(self) -> NDArray[np.bool_] | None:
        """Union of all targets, (H, W) bool; `None` if the model predicts boxes only."""
        rle = self.record["merged_mask"]
        return None if rle is None else decode_masks([rle])[0].numpy()

    @cached_property
    def candidates(self) -> list[Target]:
        """All instances that the model proposed, in its order, whatever their score."""
        masks: Sequence[RLE | None] = self.record["masks"] or [None] * len(self.record["scores"])
        points: Sequence[Any] = self.points_xy or [None] * len(masks)
        return [
            Target((box[0], box[1], box[2], box[3]), score, mask, point)
            for box, score, mask, point in zip(
                self.record["boxes_xyxy"], self.record["scores"], masks, points, strict=True
            )
        ]

    @cached_property
    def targets(self) -> list[Target]:
        """Candidates that score above `score_thr`, best first; empty if `no_target`."""
        if self.no_target:
            return []
        kept = [candidate for candidate in self.candidates if candidate.score > self.score_thr]
        return sorted(kept, key=lambda target: -target.score)

    def __len__(self) -> int:
        return len(self.targets)

    def __bool__(self) -> bool:
        # A result without targets is still a result: `if result` must not depend on `len`.
        return True

    def __iter__(self) -> Iterator[Target]:
        return iter(self.targets)

    def __repr__(self) -> str:
        found = ", ".join(_describe(target) for target in self.targets[:3])
        more = f" and {len(self) - 3} more" if len(self) > 3 else ""
        if self.no_target:
            found = "no target"
        elif not found:
            found = "a mask without single instances"
        name = escape_invisible(Path(self.image).name or self.image)
        return f"{name}, {self.expression!r}: {found}{more} (existence {self.existence:.2f})"

    def reduced(self, *, tasks: Outputs = "auto", topk: int | None = None) -> GroundingResult:
        """Return a result with some of the outputs.

        Args:
            tasks: "box" drops the masks; "mask" replaces boxes by the extents of the masks; "both"
                requires both; "auto" keeps what the model predicts.
            topk: Maximum number of candidates, those with the highest scores, in their order. If
                `None`, all are kept. The merged mask does not change.

        Raises:
            ValueError: Masks are requested but the model predicts none, or an argument is invalid.
        """
        check_choice("tasks", tasks, get_args(Outputs))
        if topk is not None and topk < 1:
            raise ValueError(f"topk must be 1 or more, got {topk}")
        record = self.record
        if tasks in ("mask", "both") and record["merged_mask"] is None and not record["masks"]:
            raise ValueError(f"tasks={tasks!r} requests masks, but this model predicts boxes only")
        result = self if topk is None else self._best(topk)
        record = cast(PredictionRecord, dict(result.record))
        if tasks == "box":
            record["masks"], record["merged_mask"] = [], None
        elif tasks == "mask" and record["masks"]:
            record["boxes_xyxy"] = rle_boxes_xyxy(record["masks"]).tolist()
        return replace(result, record=record)

    def _best(self, count: int) -> GroundingResult:
        scores = self.record["scores"]
        ranked = sorted(range(len(scores)), key=lambda index: -scores[index])
        kept = sorted(ranked[:count])
        record = cast(PredictionRecord, dict(self.record))
        record["boxes_xyxy"] = [record["boxes_xyxy"][index] for index in kept]
        record["scores"] = [scores[index] for index in kept]
        record["masks"] = [record["masks"][index] for index in kept] if record["masks"] else []
        points = tuple(self.points_xy[index] for index in kept) if self.points_xy else ()
        return replace(self, record=record, points_xy=points)

    def resized(self, size: tuple[int, int]) -> GroundingResult:
        """Return the same result for the image resized to `size` (H, W)."""
        if size == self.size:
            return self
        factor = torch.tensor([size[1] / self.size[1], size[0] / self.size[0]])
        boxes = torch.tensor(self.record["boxes_xyxy"]).reshape(-1, 4) * factor.repeat(2)
        points = (torch.tensor(self.points_xy).reshape(-1, 2) * factor).tolist()
        merged = self.record["merged_mask"]
        record = cast(PredictionRecord, dict(self.record))
        record["size"] = list(size)
        record["boxes_xyxy"] = clip_boxes(boxes, size).tolist()
        record["masks"] = [self._resized_mask(mask, size) for mask in record["masks"]]
        record["merged_mask"] = None if merged is None else self._resized_mask(merged, size)
        return replace(self, record=record, points_xy=tuple((x, y) for x, y in points))

    def _resized_mask(self, mask: RLE, size: tuple[int, int]) -> RLE:
        # One at a time: those of a large image would fill gigabytes together.
        return encode_masks(decode_masks_resized([mask], self.size, size))[0]

    def plot(
        self, image: ImageLike | None = None, *, layers: Collection[Layer] | None = None
    ) -> RGBImage:
        """Draw the targets over the image, with a caption above and below.

        Args:
            image: Image to draw over. If `None`, `source`, or else the file that `image` names.
            layers: Parts to draw. If `None`, all except the points.

        Returns:
            uint8 RGB array. Small images are enlarged, huge ones reduced.

        Raises:
            FileNotFoundError: The image file does not exist.
        """
        source = image if image is not None else self.source
        pixels = downscale_to_limit(read_image(self.image if source is None else source))
        shown = self.resized((pixels.shape[0], pixels.shape[1]))
        record = {**shown.record, "points_xy": [list(point) for point in shown.points_xy]}
        drawn = _PLOT_LAYERS if layers is None else layers
        return prediction_panel(pixels, record, score_thr=self.score_thr, layers=drawn)

    def show(self) -> None:
        """Open the drawn result in the image viewer of the desktop."""
        Image.fromarray(self.plot()).show(title=self.expression)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Save the drawn result, or the record if `path` ends in `.json`, and return the path."""
        path = Path(path)
        if path.suffix.lower() == ".json":
            with atomic_file(path) as file:
                file.write(f"{self.to_json()}\n".encode())
        else:
            save_image(self.plot(), path)
        return path

    def to_dict(self) -> PredictionRecord:
        """Return one line of `predictions.jsonl` as plain values."""
        return cast(PredictionRecord, dict(self.record))

    def to_json(self) -> str:
        """Return one line of `predictions.jsonl`, without a line break."""
        return encode_json(self.record).decode()

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a row of plain values for each target."""
        areas = [
            None if target.rle is None else int(rle_areas([target.rle])[0])
            for target in self.targets
        ]
        return [
            dict(
                zip(
                    _COLUMNS,
                    (self.image, self.expression, rank, target.score, *target.box_xyxy, area),
                    strict=True,
                )
            )
            for rank, (target, area) in enumerate(zip(self.targets, areas, strict=True), start=1)
        ]

    def to_csv(self) -> str:
        """Return a header and a line for each target.

        Bytes of a file name that are not UTF-8 are escaped as in `to_json`.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.to_rows())
        return encode_text(text.getvalue()).decode()

    def to_pandas(self) -> DataFrame:
        """Return a `pandas.DataFrame` with a row for each target.

        Raises:
            ImportError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError("to_pandas needs pandas: pip install pandas") from error
        return pandas.DataFrame(self.to_rows(), columns=list(_COLUMNS))

    def to_coco(self, *, image_id: int = 0, category_id: int = 1) -> list[dict[str, Any]]:
        """Return the targets as COCO results; `coco_dataset` makes a whole file."""
        return coco_annotations(
            self.record, self.targets, image_id=image_id, category_id=category_id
        )

    def to_supervision(self) -> Detections:
        """Return the targets as `supervision.Detections`.

        Raises:
            ImportError: supervision is not installed.
        """
        return supervision_detections(self.record, self.targets)

    def to_labelstudio(self) -> dict[str, Any]:
        """Return a Label Studio task with the targets as a prediction for correction."""
        return labelstudio_task(self.record, self.targets)

    def _repr_png_(self) -> bytes | None:
        """Return the drawn result for a notebook, or `None` if the image cannot be read."""
        try:
            drawn = self.plot()
        except (OSError, ValueError):
            return None
        buffer = io.BytesIO()
        Image.fromarray(drawn).save(buffer, "PNG")
        return buffer.getvalue()


def _describe(target: Target) -> str:
    corners = ", ".join(f"{value:.0f}" for value in target.box_xyxy)
    return f"box ({corners}) score {target.score:.2f}"


def _original_points(sample: GroundingDataSample) -> Points:
    """Return the prior points of the predictions in the original frame; empty without any."""
    instances = sample.get("pred_instances")
    if instances is None or "points_xy" not in instances:
        return ()
    points = instances.points_xy.cpu()
    if sample.get("pred_frame", "original") == "input":
        points = points / points.new_tensor(sample.scale_factor)
    return tuple((x, y) for x, y in points.tolist())
