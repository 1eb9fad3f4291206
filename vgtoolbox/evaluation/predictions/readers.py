"""Read prediction files: our JSON lines, COCO results and the Google Refexp toolbox's ranked boxes.

The other formats do not identify expressions as our annotations do. A file is therefore read into
(key, prediction) pairs, and `scoring` finds the sample of each key.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from vgtoolbox.evaluation.predictions.records import PredictionRecord, iter_predictions
from vgtoolbox.structures import (
    PUBLISHED_SCORE_THR,
    RLE,
    GeometryError,
    check_box,
    check_scores,
    merge_rles,
    rle_boxes_xyxy,
    segmentation_to_rle,
)
from vgtoolbox.structures.validation import FractionDetector
from vgtoolbox.utils.choices import check_choice
from vgtoolbox.utils.text_files import (
    CompressedFileError,
    EncodingError,
    read_first_entry,
    read_text,
)
from vgtoolbox.utils.values import describe

PredictionFormat = Literal["jsonl", "coco", "refexp"]
MaskMerge = Literal["kept", "best"]


@dataclass(frozen=True, kw_only=True)
class DetectionOptions:
    """Conversion of scored detections to the prediction for an expression.

    Attributes:
        score_thr: Least score of a kept detection. If none is kept, the prediction is "no target".
        merge: Merged mask: the union of the "kept" masks, or the mask of the "best" score,
            regardless of `score_thr`.
    """

    score_thr: float = PUBLISHED_SCORE_THR
    merge: MaskMerge = "kept"

    def __post_init__(self) -> None:
        check_choice("merge", self.merge, get_args(MaskMerge))


@dataclass(kw_only=True)
class ScoredDetections:
    """Detections of a file for one expression."""

    boxes_xyxy: list[list[float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    segmentations: list[Any] = field(default_factory=list)
    """Polygons or RLE of each box, or empty."""
    places: list[str] = field(default_factory=list)
    """File and entry of each box, for errors, or empty."""

    def to_record(self, options: DetectionOptions, sample: Mapping[str, Any]) -> PredictionRecord:
        """Return the line of `predictions.jsonl` for `sample`.

        Args:
            options: Conversion of detections.
            sample: Mapping with `sample_id`, `img_path`, `expressions` and `ori_shape`.

        Raises:
            GeometryError: A mask is invalid or for an image of another size.
        """
        size = (int(sample["ori_shape"][0]), int(sample["ori_shape"][1]))
        masks = [self._mask(position, size) for position in range(len(self.segmentations))]
        if masks and not self.boxes_xyxy:  # results of a task with masks only
            self.boxes_xyxy = rle_boxes_xyxy(masks).tolist()
        return PredictionRecord(
            id=sample["sample_id"],
            image=str(sample["img_path"]),
            expression=sample["expressions"][0],
            size=list(size),
            boxes_xyxy=self.boxes_xyxy,
            scores=self.scores,
            masks=masks,
            merged_mask=self._merged_mask(masks, options, size),
            no_target=not any(score >= options.score_thr for score in self.scores),
            existence=max(self.scores, default=0.0),
            text=None,
        )

    def _mask(self, position: int, size: tuple[int, int]) -> RLE:
        try:
            return segmentation_to_rle(self.segmentations[position], size)
        except GeometryError as error:
            place = f"{self.places[position]}: " if self.places else ""
            raise GeometryError(f"{place}the key 'segmentation': {error}") from None

    def _merged_mask(
        self, masks: list[RLE], options: DetectionOptions, size: tuple[int, int]
    ) -> RLE | None:
        if not masks and self.boxes_xyxy:
            return None
        ranked = sorted(zip(self.scores, range(len(masks)), strict=True), key=lambda pair: -pair[0])
        if options.merge == "best":
            return merge_rles([masks[index] for _, index in ranked[:1]], size)
        return merge_rles([masks[i] for score, i in ranked if score >= options.score_thr], size)


FilePrediction = PredictionRecord | ScoredDetections


def detect_prediction_format(path: str | os.PathLike[str]) -> PredictionFormat:
    """Return the format of a prediction file, recognized by the keys of its first entry.

    Only as much of the file is read as the first entry takes.

    Raises:
        ValueError: The format is unknown, or the file is not UTF-8.
    """
    opening, first = read_first_entry(path)
    if opening == "{":
        return "jsonl"
    if opening == "[":
        keys = set(first) if isinstance(first, dict) else set()
        if "predicted_bounding_boxes" in keys:
            return "refexp"
        if "score" in keys or first is None:
            return "coco"
    found = f"the keys {', '.join(first)[:200]}" if isinstance(first, dict) else "no JSON object"
    raise ValueError(
        f"{path} has an unknown prediction format; expected predictions.jsonl (one JSON object per "
        'line), COCO results ([{"image_id", "bbox", "score"}]) or the file of the Google Refexp '
        'toolbox ([{"refexp_id", "annotation_id", "predicted_bounding_boxes"}]), got a first entry '
        f"with {found}"
    )


def iter_keyed_predictions(
    path: str | os.PathLike[str],
    file_format: PredictionFormat | None = None,
    *,
    by_annotation: bool = False,
) -> Iterator[tuple[str, FilePrediction]]:
    """Yield (key, prediction) of each expression in a prediction file.

    Args:
        path: Path of the file.
        file_format: Format of the file. If `None`, it is detected.
        by_annotation: Whether the keys of "refexp" are "<annotation>:<rank among its expressions>"
            instead of the number of the expression.

    Raises:
        ValueError: The content does not match the format.
        GeometryError: A box, score or mask is invalid, or all boxes are within one pixel.
    """
    file_format = file_format or detect_prediction_format(path)
    check_choice("file_format", file_format, get_args(PredictionFormat))
    if file_format == "jsonl":
        records = ((str(record["id"]), record) for record in iter_predictions(path))
        return _in_pixels(records, path)
    entries = _read_entries(path)
    try:
        if file_format == "coco":
            found: Any = _coco_results(entries, str(path)).items()
        else:
            found = list(_ranked_boxes(entries, by_annotation=by_annotation))
    except (KeyError, TypeError, ValueError) as error:
        problem = f"an entry lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} is not a valid {file_format!r} file: {problem}") from error
    return _in_pixels(found, path)


def _in_pixels(
    predictions: Iterable[tuple[str, Any]], path: str | os.PathLike[str]
) -> Iterator[tuple[str, Any]]:
    """Yield (key, prediction) pairs; raise GeometryError at the end if no box is in pixels."""
    detector = FractionDetector()
    for key, prediction in predictions:
        is_record = isinstance(prediction, dict)
        detector.add(prediction["boxes_xyxy"] if is_record else prediction.boxes_xyxy)
        yield key, prediction
    detector.check(str(path))


def _read_entries(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    try:
        entries = json.loads(read_text(path))
    except EncodingError as error:
        raise ValueError(f"{path}, line {error.line}: the text {error}") from None
    except CompressedFileError:
        raise
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is truncated or not JSON: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{path} must contain a list of JSON objects")
    return entries


def _coco_results(entries: Iterable[Mapping[str, Any]], path: str) -> dict[str, ScoredDetections]:
    """Group the detections by `sample_id`, or by `image_id` if they have no `sample_id`.

    If each "image" is one expression, as in MDETR's and mmdet's files, `image_id` is its number.
    """
    found: defaultdict[str, ScoredDetections] = defaultdict(ScoredDetections)
    for position, entry in enumerate(entries):
        key = str(entry["sample_id"] if "sample_id" in entry else entry["image_id"])
        detections = found[key]
        if entry.get("bbox") is not None:
            box = _corners(entry["bbox"], f"entry {position}, the key 'bbox',")
            detections.boxes_xyxy.append(box)
        (score,) = check_scores([entry["score"]], f"entry {position}, the key 'score'")
        detections.scores.append(float(score))
        detections.places.append(f"{path}, entry {position}")
        if entry.get("segmentation"):
            detections.segmentations.append(entry["segmentation"])
        for name, values in (
            ("bbox", detections.boxes_xyxy),
            ("segmentation", detections.segmentations),
        ):
            if len(values) not in (0, len(detections.scores)):
                raise ValueError(f"some detections of {key!r} have a {name} and others do not")
        if not detections.boxes_xyxy and not detections.segmentations:
            raise ValueError(f"a detection of {key!r} lacks 'bbox' and 'segmentation'")
    return dict(found)


def _ranked_boxes(
    entries: Iterable[Mapping[str, Any]], *, by_annotation: bool
) -> Iterator[tuple[str, ScoredDetections]]:
    """Read boxes [x, y, w, h] that are ordered, the best first, without scores.

    The score of rank r is 1 / r, so that only the first box is above any usual threshold.
    """
    ranks: defaultdict[str, int] = defaultdict(int)
    for entry in sorted(entries, key=lambda entry: entry["refexp_id"]):
        annotation = str(entry["annotation_id"])
        key = f"{annotation}:{ranks[annotation]}" if by_annotation else str(entry["refexp_id"])
        ranks[annotation] += 1
        boxes, name = entry["predicted_bounding_boxes"], f"refexp {entry['refexp_id']}"
        if not isinstance(boxes, list):
            raise GeometryError(
                f"{name}, the key 'predicted_bounding_boxes' must be a list of boxes, got "
                f"{describe(boxes)}"
            )
        yield (
            key,
            ScoredDetections(
                boxes_xyxy=[_corners(b, f"{name}, box {i},") for i, b in enumerate(boxes)],
                scores=[1 / rank for rank in range(1, len(boxes) + 1)],
            ),
        )


def _corners(box_xywh: Any, what: str) -> list[float]:
    """Return the corners of a box [x, y, width, height]."""
    x, y, width, height = map(float, check_box(box_xywh, what))
    if width < 0 or height < 0:
        raise GeometryError(
            f"{what} must be x, y, width, height, the latter two not negative, got {box_xywh}"
        )
    return [x, y, x + width, y + height]
