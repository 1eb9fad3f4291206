"""Prediction files of others: COCO results, and the ranked boxes of the Google Refexp toolbox.

Neither names expressions as our annotations do, so a file is read into (key, prediction) pairs, and
`scoring` finds the sample that a key means.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vgtoolbox.evaluation.predictions.records import PredictionRecord, iter_predictions
from vgtoolbox.structures import PUBLISHED_SCORE_THR, RLE, merge_rles, segmentation_to_rle

Layout = Literal["jsonl", "coco", "refexp"]
Merge = Literal["kept", "best"]


@dataclass(frozen=True, kw_only=True)
class DetectionRule:
    """How scored detections become the answer to an expression.

    Attributes:
        score_thr: Detections with at least this score are the answer; without one it is "no
            target".
        merge: The merged mask is the union of the "kept" masks, or the one of the "best" score,
            whatever that is.
    """

    score_thr: float = PUBLISHED_SCORE_THR
    merge: Merge = "kept"


@dataclass(kw_only=True)
class Detections:
    """What a file of detections holds for one expression."""

    boxes_xyxy: list[list[float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    segmentations: list[Any] = field(default_factory=list)
    """One a box, polygons or RLE; or none at all."""

    def record(self, rule: DetectionRule, sample: Mapping[str, Any]) -> PredictionRecord:
        """Return the line that `predictions.jsonl` would have for `sample`.

        Args:
            rule: What the answer is.
            sample: Has `sample_id`, `img_path`, `expressions` and `ori_shape`.
        """
        size = (int(sample["ori_shape"][0]), int(sample["ori_shape"][1]))
        masks = [segmentation_to_rle(segmentation, size) for segmentation in self.segmentations]
        return PredictionRecord(
            id=sample["sample_id"],
            image=str(sample["img_path"]),
            expression=sample["expressions"][0],
            size=list(size),
            boxes_xyxy=self.boxes_xyxy,
            scores=self.scores,
            masks=masks,
            merged_mask=self._merged(masks, rule, size),
            no_target=not any(score >= rule.score_thr for score in self.scores),
            existence=max(self.scores, default=0.0),
            text=None,
        )

    def _merged(self, masks: list[RLE], rule: DetectionRule, size: tuple[int, int]) -> RLE | None:
        if not masks and self.boxes_xyxy:
            return None
        ranked = sorted(zip(self.scores, range(len(masks)), strict=True), key=lambda pair: -pair[0])
        chosen = ranked[:1] if rule.merge == "best" else ranked
        least = -float("inf") if rule.merge == "best" else rule.score_thr
        return merge_rles([masks[index] for score, index in chosen if score >= least], size)


Answer = PredictionRecord | Detections


def guess_layout(path: str | os.PathLike[str]) -> Layout:
    """Tell the layout of a prediction file by its first bytes.

    Raises:
        ValueError: It has none of the known ones.
    """
    with Path(path).open(encoding="utf-8") as file:
        head = file.read(4096).lstrip()
    if head.startswith("{"):
        return "jsonl"
    if head.startswith("["):
        if '"predicted_bounding_boxes"' in head:
            return "refexp"
        if '"score"' in head or not head[1:].strip(" \n]"):
            return "coco"
    raise ValueError(
        f"{path} is no prediction file that is known: expected predictions.jsonl (a JSON object a "
        'line), COCO results ([{"image_id", "bbox", "score"}]) or the Google Refexp toolbox\'s '
        '([{"refexp_id", "annotation_id", "predicted_bounding_boxes"}])'
    )


def iter_answers(
    path: str | os.PathLike[str], layout: Layout | None = None, *, by_annotation: bool = False
) -> Iterator[tuple[str, Answer]]:
    """Yield (key, prediction) of each expression in a prediction file.

    Args:
        path: The file.
        layout: None is what `guess_layout` says.
        by_annotation: The keys of "refexp" are "<annotation>:<rank among its expressions>" in place
            of the expression's number.

    Raises:
        ValueError: The file is not as its layout says.
    """
    layout = layout or guess_layout(path)
    if layout == "jsonl":
        return ((str(record["id"]), record) for record in iter_predictions(path))
    entries = _read_entries(path)
    try:
        if layout == "coco":
            return iter(_coco_results(entries).items())
        return iter(list(_ranked_boxes(entries, by_annotation=by_annotation)))
    except (KeyError, TypeError, ValueError) as error:
        what = f"an entry lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ValueError(f"{path} is not as {layout!r} predictions are: {what}") from error


def _read_entries(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    try:
        entries = json.loads(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is truncated or no JSON: {error}") from error
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError(f"{path} should hold a list of JSON objects")
    return entries


def _coco_results(entries: Iterable[Mapping[str, Any]]) -> dict[str, Detections]:
    """Gather the detections of each `sample_id`, or else `image_id`.

    Where an "image" is one expression, as in MDETR's and mmdet's files, `image_id` is its number.
    """
    found: defaultdict[str, Detections] = defaultdict(Detections)
    for entry in entries:
        key = str(entry["sample_id"] if "sample_id" in entry else entry["image_id"])
        detections = found[key]
        x, y, width, height = map(float, entry["bbox"])
        detections.boxes_xyxy.append([x, y, x + width, y + height])
        detections.scores.append(float(entry["score"]))
        if entry.get("segmentation"):
            detections.segmentations.append(entry["segmentation"])
        if len(detections.segmentations) not in (0, len(detections.scores)):
            raise ValueError(f"some detections of {key!r} have a segmentation and others do not")
    return dict(found)


def _ranked_boxes(
    entries: Iterable[Mapping[str, Any]], *, by_annotation: bool
) -> Iterator[tuple[str, Detections]]:
    """Read boxes [x, y, w, h] that stand in order, the best first, without scores.

    The score of rank r is 1 / r: above any usual threshold stands the first box alone.
    """
    ranks: defaultdict[str, int] = defaultdict(int)
    for entry in sorted(entries, key=lambda entry: entry["refexp_id"]):
        annotation = str(entry["annotation_id"])
        key = f"{annotation}:{ranks[annotation]}" if by_annotation else str(entry["refexp_id"])
        ranks[annotation] += 1
        boxes = [[float(v) for v in box] for box in entry["predicted_bounding_boxes"]]
        yield (
            key,
            Detections(
                boxes_xyxy=[[x, y, x + width, y + height] for x, y, width, height in boxes],
                scores=[1 / rank for rank in range(1, len(boxes) + 1)],
            ),
        )
