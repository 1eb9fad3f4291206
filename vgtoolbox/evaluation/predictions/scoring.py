"""Score a prediction file against a dataset, without a model and without reading images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, get_args

import torch

from vgtoolbox.evaluation.metrics.base import GroundingMetric
from vgtoolbox.evaluation.metrics.sample_reader import Fields
from vgtoolbox.evaluation.predictions.readers import (
    DetectionOptions,
    FilePrediction,
    ScoredDetections,
)
from vgtoolbox.evaluation.predictions.records import PredictionRecord
from vgtoolbox.utils.choices import check_choice

MatchKey = Literal["sample_id", "sent_id", "image_id", "ann_id", "position"]
MissingPolicy = Literal["error", "nothing"]


class SupportsTargets(Protocol):
    """Dataset that predictions can be scored against, with one sample per expression."""

    def __len__(self) -> int:
        """Return the number of expressions."""
        ...

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return the record of an expression."""
        ...

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """Return that record with `sample_idx`, `ori_shape`, `boxes_ori` and `rles_ori`."""
        ...


def join_predictions(
    dataset: SupportsTargets,
    predictions: Iterable[tuple[str, FilePrediction]],
    *,
    match_by: MatchKey = "sample_id",
    missing: MissingPolicy = "error",
    options: DetectionOptions | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the samples of a dataset with the predictions of a file, in the order of the file.

    A sample has the fields that metrics read, and the line of `predictions.jsonl` as `prediction`.

    Args:
        dataset: Annotations, one sample per expression.
        predictions: Pairs (key, prediction), each key once.
        match_by: Property of a sample that the keys identify: its `sample_id`; the "sent_id" after
            the last `_` of that; its "image_id", if each image has one sample; "ann_id",
            "<annotation>:<rank among the expressions of that object>"; or its "position" in the
            dataset.
        missing: Treatment of a sample without a prediction: an "error", or "nothing" to count it as
            if nothing had been found: no box, an empty mask, "no target".
        options: Conversion of plain detections. If `None`, the defaults of `DetectionOptions`.

    Raises:
        ValueError: Predictions are missing or duplicated, or their keys are not in the dataset; the
            message gives one of them and their number.
    """
    check_choice("missing", missing, get_args(MissingPolicy))
    positions = _positions_by_key(dataset, match_by)
    options = options or DetectionOptions()
    remaining = dict.fromkeys(positions.values())
    unknown_keys: list[str] = []
    for key, prediction in predictions:
        if key not in positions:
            unknown_keys.append(key)
            continue
        position = positions[key]
        if position not in remaining:
            raise ValueError(f"the file has two predictions for {match_by} {key!r}")
        del remaining[position]
        yield _join(dataset[position], prediction, options)
    keys = {position: key for key, position in positions.items()}
    missing_keys = [keys[position] for position in remaining] if missing == "error" else []
    _check_keys(unknown_keys, missing_keys, match_by, len(positions))
    for position in remaining:
        yield _join(dataset[position], ScoredDetections(), options)


def score_samples(
    samples: Iterable[Fields], metrics: Sequence[GroundingMetric], size: int
) -> dict[str, float]:
    """Evaluate metrics as a test run does.

    Args:
        samples: Samples from `join_predictions`.
        metrics: Metrics of the split.
        size: Length of the dataset.

    Returns:
        The values by prefixed name.
    """
    for sample in samples:
        for metric in metrics:
            metric.process(None, [sample])
    return {name: value for metric in metrics for name, value in metric.evaluate(size).items()}


def prediction_fields(record: PredictionRecord) -> dict[str, Any]:
    """Return the sample fields that a model would predict, from a line of `predictions.jsonl`."""
    fields: dict[str, Any] = {
        "pred_frame": "original",
        "pred_instances": {
            "boxes_xyxy": torch.tensor(record["boxes_xyxy"], dtype=torch.float32).reshape(-1, 4),
            "scores": torch.tensor(record["scores"], dtype=torch.float32),
            "masks": record["masks"],
        },
        "pred_no_target": record["no_target"],
        "pred_existence": record["existence"],
        "pred_text": record["text"],
    }
    if record["merged_mask"] is not None:
        fields["pred_merged_mask"] = record["merged_mask"]
    return fields


def _join(
    sample: dict[str, Any], prediction: FilePrediction, options: DetectionOptions
) -> dict[str, Any]:
    record = (
        prediction.to_record(options, sample)
        if isinstance(prediction, ScoredDetections)
        else prediction
    )
    if list(record["size"]) != list(sample["ori_shape"]):
        raise ValueError(
            f"size of the prediction for sample {sample['sample_id']!r} must be that of its image, "
            f"[height, width] {list(sample['ori_shape'])}, got {record['size']}; check that the "
            "file belongs to this dataset"
        )
    sample["expression"] = record["expression"] or sample["expressions"][0]
    sample["gt_instances_ori"] = {
        "boxes_xyxy": sample["boxes_ori"],
        "masks": sample.get("rles_ori", []),
    }
    return {**sample, **prediction_fields(record), "prediction": record}


def _check_keys(
    unknown: Sequence[str], missing: Sequence[str], match_by: MatchKey, total: int
) -> None:
    if unknown:
        raise ValueError(
            f"the dataset has no samples for {len(unknown)} predictions, the first is for "
            f"{match_by} {unknown[0]!r}; check the split, or match by another key"
        )
    if missing:
        raise ValueError(
            f"{len(missing)} of {total} samples have no prediction, the first is {match_by} "
            f"{missing[0]!r}; complete the file, or count them as no target with missing='nothing'"
        )


def _positions_by_key(dataset: SupportsTargets, match_by: MatchKey) -> dict[str, int]:
    """Return the position of the sample of each key."""
    check_choice("match_by", match_by, _KEYS)
    positions: dict[str, int] = {}
    ranks: Counter[str] = Counter()
    for index in range(len(dataset)):
        key = _KEYS[match_by](dataset.get_data_info(index), index)
        if match_by == "ann_id":
            ranks[key] += 1
            key = f"{key}:{ranks[key] - 1}"
        if positions.setdefault(key, index) != index:
            raise ValueError(
                f"several samples have {match_by} {key!r}, so it does not identify a sample; match "
                "by another key"
            )
    return positions


def _annotation_id(info: Mapping[str, Any], _: int) -> str:
    return str(info["targets"][0]["ann_id"]) if info["targets"] else "none"


_KEYS: dict[MatchKey, Callable[[Mapping[str, Any], int], str]] = {
    "sample_id": lambda info, _: str(info["sample_id"]),
    "sent_id": lambda info, _: str(info["sample_id"]).rpartition("_")[2],
    "image_id": lambda info, _: str(info["image_id"]),
    "ann_id": _annotation_id,
    "position": lambda _, index: str(index),
}
