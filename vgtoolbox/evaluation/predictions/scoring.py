"""Score predictions that lie in a file against a dataset: no model, and no image is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import torch

from vgtoolbox.evaluation.metrics.base import GroundingMetric
from vgtoolbox.evaluation.metrics.sample_reader import Fields
from vgtoolbox.evaluation.predictions.readers import Answer, DetectionRule, Detections
from vgtoolbox.evaluation.predictions.records import PredictionRecord

Match = Literal["sample_id", "sent_id", "image_id", "ann_id", "position"]
Missing = Literal["error", "nothing"]


class TargetDataset(Protocol):
    """What predictions are scored against: a sample for each expression."""

    def __len__(self) -> int:
        """Return the number of expressions."""
        ...

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """Return the record of an expression."""
        ...

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """Return that record with `sample_idx`, `ori_shape`, `boxes_ori` and `rles_ori`."""
        ...


def joined_samples(
    dataset: TargetDataset,
    answers: Iterable[tuple[str, Answer]],
    *,
    match: Match = "sample_id",
    missing: Missing = "error",
    rule: DetectionRule | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield the samples of a dataset with the predictions of a file, in the order of the file.

    A sample holds what metrics read, and the line of `predictions.jsonl` as `prediction`.

    Args:
        dataset: Annotations, an expression a sample.
        answers: (key, prediction), each key once.
        match: What of a sample the keys name: its `sample_id`; the "sent_id" after the last `_` of
            that; its "image_id", where each image has one sample; "ann_id", "<annotation>:<rank
            among the expressions of that object>"; or its "position" in the dataset.
        missing: A sample without a prediction is an "error", or counts as if "nothing" had been
            found: no box, an empty mask, "no target".
        rule: How bare detections become answers.

    Raises:
        ValueError: Predictions are missing, there twice, or of samples that the dataset does not
            have; the message names one and says how many.
    """
    positions = _positions(dataset, match)
    rule = rule or DetectionRule()
    left = dict.fromkeys(positions.values())
    strangers: list[str] = []
    for key, answer in answers:
        if key not in positions:
            strangers.append(key)
            continue
        position = positions[key]
        if position not in left:
            raise ValueError(f"the file has two predictions for {match} {key!r}")
        del left[position]
        yield _join(dataset[position], answer, rule)
    names = {position: key for key, position in positions.items()}
    _check_complete(strangers, [names[p] for p in left], len(positions), match, missing)
    for position in left:
        yield _join(dataset[position], Detections(), rule)


def score_samples(
    samples: Iterable[Fields], metrics: Sequence[GroundingMetric], size: int
) -> dict[str, float]:
    """Evaluate metrics as a test run does.

    Args:
        samples: From `joined_samples`.
        metrics: Of a split's evaluator.
        size: Length of the dataset.

    Returns:
        The values by prefixed name.
    """
    for sample in samples:
        for metric in metrics:
            metric.process(None, [sample])
    return {name: value for metric in metrics for name, value in metric.evaluate(size).items()}


def prediction_fields(record: PredictionRecord) -> dict[str, Any]:
    """Turn a line of `predictions.jsonl` back into what a model's sample holds."""
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


def _join(sample: dict[str, Any], answer: Answer, rule: DetectionRule) -> dict[str, Any]:
    record = answer.record(rule, sample) if isinstance(answer, Detections) else answer
    if list(record["size"]) != list(sample["ori_shape"]):
        raise ValueError(
            f"the prediction for sample {sample['sample_id']!r} is for an image of height x width "
            f"{record['size']}, its annotation for {list(sample['ori_shape'])}; are both of the "
            "same data set?"
        )
    sample["expression"] = record["expression"] or sample["expressions"][0]
    sample["gt_instances_ori"] = {
        "boxes_xyxy": sample["boxes_ori"],
        "masks": sample.get("rles_ori", []),
    }
    return {**sample, **prediction_fields(record), "prediction": record}


def _positions(dataset: TargetDataset, match: Match) -> dict[str, int]:
    """Return where the sample of each key stands."""
    if match not in _KEYS:
        raise ValueError(f"match must be one of {sorted(_KEYS)}, got {match!r}")
    positions: dict[str, int] = {}
    ranks: Counter[str] = Counter()
    for index in range(len(dataset)):
        key = _KEYS[match](dataset.get_data_info(index), index)
        if match == "ann_id":
            ranks[key] += 1
            key = f"{key}:{ranks[key] - 1}"
        if positions.setdefault(key, index) != index:
            raise ValueError(
                f"several samples have {match} {key!r}, so predictions can't be told apart by it; "
                "match by another one"
            )
    return positions


def _annotation_id(info: Mapping[str, Any], _: int) -> str:
    return str(info["targets"][0]["ann_id"]) if info["targets"] else "none"


_KEYS: dict[str, Callable[[Mapping[str, Any], int], str]] = {
    "sample_id": lambda info, _: str(info["sample_id"]),
    "sent_id": lambda info, _: str(info["sample_id"]).rpartition("_")[2],
    "image_id": lambda info, _: str(info["image_id"]),
    "ann_id": _annotation_id,
    "position": lambda _, index: str(index),
}


def _check_complete(
    strangers: Sequence[str], left: Sequence[str], size: int, match: Match, missing: Missing
) -> None:
    if strangers:
        raise ValueError(
            f"{len(strangers)} predictions are of samples that the dataset does not have, the "
            f"first is {match} {strangers[0]!r}; are they of another split, or should they be "
            "matched by something else?"
        )
    if left and missing == "error":
        raise ValueError(
            f"{len(left)} of {size} samples have no prediction, the first is {match} {left[0]!r}; "
            "they can be counted as if nothing had been found"
        )
