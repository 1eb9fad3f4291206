"""`predictions.jsonl`: one line per (image, expression), everything in the original frame."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict, cast

import torch
from mmengine.structures import BaseDataElement

from vgtoolbox.evaluation.metrics.base import GroundingMetric
from vgtoolbox.evaluation.metrics.sample_reader import Fields, required, sample_fields
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import (
    RLE,
    GeometryError,
    check_prediction,
    clip_boxes,
    decode_masks,
    encode_masks,
    resize_masks,
)
from vgtoolbox.structures.recent_masks import screen_masks
from vgtoolbox.utils.atomic_file import atomic_file
from vgtoolbox.utils.text import encode_json
from vgtoolbox.utils.text_files import EncodingError, decode_utf8, iter_lines
from vgtoolbox.utils.values import describe

_BLOCK = 32  # lines whose masks are checked together, which is faster than one by one
_TEXTS: dict[str, tuple[type, ...]] = {
    "id": (str, int),
    "image": (str,),
    "expression": (str,),
    "text": (str, type(None)),
}
"""Allowed types of the keys of a record that are not geometry."""


class PredictionRecord(TypedDict):
    """One line of `predictions.jsonl`."""

    id: str
    image: str
    expression: str
    size: list[int]
    """[h, w] of the image."""
    boxes_xyxy: list[list[float]]
    scores: list[float]
    masks: list[RLE]
    """One mask per box, or empty if the system predicts no instance masks."""
    merged_mask: RLE | None
    """`None` if the system predicts boxes only."""
    no_target: bool
    existence: float
    """Probability that the expression names something, in [0, 1]."""
    text: str | None
    """Answer of a language model, `None` for other systems."""


def prediction_record(sample: BaseDataElement | Fields) -> PredictionRecord:
    """Convert the predictions of a sample to plain values in the original frame.

    A system without an existence decision always claims a target. `existence` is 0 or 1 for systems
    that decide without a probability.
    """
    fields = _in_original_frame(sample_fields(sample))
    instances = fields.get("pred_instances", {})
    no_target = bool(fields.get("pred_no_target", False))
    return PredictionRecord(
        id=required(fields, "sample_id"),
        image=str(required(fields, "img_path")),
        expression=required(fields, "expression"),
        size=[int(side) for side in required(fields, "ori_shape")],
        boxes_xyxy=instances["boxes_xyxy"].tolist() if instances else [],
        scores=instances["scores"].tolist() if instances else [],
        masks=list(instances.get("masks", [])),
        merged_mask=fields.get("pred_merged_mask"),
        no_target=no_target,
        existence=float(fields.get("pred_existence", not no_target)),
        text=fields.get("pred_text"),
    )


@METRICS.register_module()
class PredictionWriter(GroundingMetric[PredictionRecord]):
    """Write `predictions.jsonl`: each sample once, in the order of the dataset.

    It is used as one of the metrics of a split and adds no value to the report.

    Args:
        out_file: Path of the file.
    """

    default_prefix = "predictions"

    def __init__(self, *, out_file: str | os.PathLike[str]) -> None:
        super().__init__()
        self.out_file = Path(out_file)

    def read_row(self, sample: Fields) -> PredictionRecord:
        """Return the line of one sample."""
        return prediction_record(sample)

    def compute_metrics(self, results: Sequence[PredictionRecord]) -> dict[str, float]:
        """Write the lines, all or none."""
        with atomic_file(self.out_file) as file:
            for record in results:
                file.write(encode_json(record) + b"\n")
        return {}


def read_predictions(path: str | os.PathLike[str]) -> list[PredictionRecord]:
    """Read `predictions.jsonl`; errors as in `iter_predictions`."""
    return list(iter_predictions(path))


def iter_predictions(path: str | os.PathLike[str]) -> Iterator[PredictionRecord]:
    """Read `predictions.jsonl` line by line, since masks of a large split take gigabytes.

    Raises:
        ValueError: A line is not a JSON object, lacks a key, or has an invalid value; the message
            names file, line and key.
    """
    lines = _parsed_lines(path)
    while block := list(itertools.islice(lines, _BLOCK)):
        screen_masks(mask for _, record in block for mask in _masks_of(record))
        for number, record in block:
            try:
                _check_texts(record)
                checked = check_prediction(record)
            except GeometryError as error:
                raise GeometryError(f"{path}, line {number}: {error}") from None
            yield cast(PredictionRecord, checked)


def _parsed_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number and the content of each line, with all keys of a record."""
    for number, line in _prediction_lines(path):
        try:
            text = decode_utf8(line)
            record = json.loads(text)
        except EncodingError as error:
            raise ValueError(f"{path}, line {number}: the text {error}") from None
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}, line {number} is not JSON: {error}") from error
        if not isinstance(record, dict):
            raise ValueError(
                f"{path}, line {number} must be a JSON object, got {text[:60].strip()}"
            )
        missing = PredictionRecord.__required_keys__ - set(record)
        if missing:
            raise ValueError(f"{path}, line {number} lacks {sorted(missing)}")
        yield number, record


def _masks_of(record: dict[str, Any]) -> list[Any]:
    masks = record["masks"]
    return [*(masks if isinstance(masks, list) else ()), record["merged_mask"]]


def _prediction_lines(path: str | os.PathLike[str]) -> Iterator[tuple[int, bytes]]:
    try:
        yield from iter_lines(path)
    except EncodingError as error:
        raise ValueError(f"{path}, line {error.line}: the text {error}") from None


def _check_texts(record: Mapping[str, Any]) -> None:
    """Raise GeometryError unless the keys that are not geometry have values of the right type."""
    for key, kinds in _TEXTS.items():
        if not isinstance(record[key], kinds) or isinstance(record[key], bool):
            raise GeometryError(f"{key} must be text, got {describe(record[key])}")


def _in_original_frame(fields: Fields) -> Fields:
    """Return the fields with predictions mapped from the input frame to the original one."""
    if fields.get("pred_frame", "original") == "original":
        return fields
    if fields.get("flip", False):
        raise ValueError(
            f"sample {fields.get('sample_id')!r} was flipped, so its predictions cannot be mapped "
            "to the original frame; remove random flips from the test pipeline"
        )
    size = tuple(required(fields, "ori_shape"))
    moved: dict[str, Any] = {**fields, "pred_frame": "original"}
    if "pred_instances" in fields:
        instances = dict(fields["pred_instances"])
        factor = torch.tensor(required(fields, "scale_factor") * 2)
        instances["boxes_xyxy"] = clip_boxes(instances["boxes_xyxy"].cpu() / factor, size)
        instances["masks"] = _resize_rles(instances.get("masks", []), size)
        moved["pred_instances"] = instances
    if "pred_merged_mask" in fields:
        moved["pred_merged_mask"] = _resize_rles([fields["pred_merged_mask"]], size)[0]
    return moved


def _resize_rles(rles: list[RLE], size: tuple[int, int]) -> list[RLE]:
    return encode_masks(resize_masks(decode_masks(rles), size)) if rles else []
