"""Analyze single samples: prediction, quality and error type, one row per sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from vgtoolbox.evaluation.error_analysis.error_types import (
    ErrorType,
    classify_box_errors,
    classify_mask_error,
)
from vgtoolbox.evaluation.functional import BoxRow, MaskRow, grec_counts, ranked_box_ious
from vgtoolbox.evaluation.metrics.sample_reader import Fields, box_row, mask_row
from vgtoolbox.structures import PUBLISHED_SCORE_THR
from vgtoolbox.utils.choices import check_choice

BoxSelection = Literal["score", "best"]


@dataclass(frozen=True, kw_only=True)
class ErrorCriteria:
    """Selection of the predicted boxes that count, and the IoUs that they are judged by.

    Attributes:
        keep: Boxes that count: those that reach `score_thr` unless the prediction is "no target"
            ("score"), or the one with the highest score, for benchmarks that always have exactly
            one target ("best").
        score_thr: Least score of a box with `keep="score"`.
        iou_thr: Least IoU of a found target, see `ErrorType`.
        loose_thr: Least IoU of a loose box, see `ErrorType`.
    """

    keep: BoxSelection = "score"
    score_thr: float = PUBLISHED_SCORE_THR
    iou_thr: float = 0.5
    loose_thr: float = 0.1

    def __post_init__(self) -> None:
        check_choice("keep", self.keep, get_args(BoxSelection))

    def select_boxes(self, sample: Fields) -> BoxRow:
        """Return the boxes that count, with score 1, and the targets."""
        row = box_row(sample, "original")
        if self.keep == "best":
            selected = row.scores.argsort(descending=True, stable=True)[:1]
        elif sample.get("pred_no_target", False):
            selected = torch.zeros(0, dtype=torch.long)
        else:
            selected = (row.scores.double() >= self.score_thr).nonzero()[:, 0]
        return BoxRow(
            boxes_xyxy=row.boxes_xyxy[selected],
            scores=torch.ones(len(selected)),
            target_boxes_xyxy=row.target_boxes_xyxy,
        )


@dataclass(frozen=True, kw_only=True)
class SampleResult:
    """Row of the table of samples. A value is `None` if prediction or annotation lack its input."""

    sample_id: str
    image: str
    expression: str
    targets: int
    smallest_target: float | None
    """Fraction of the image that the box of the smallest target covers."""
    pred_no_target: bool
    existence: float
    top_score: float | None
    kept_boxes: int
    best_box_iou: float | None
    """IoU of the box of highest score with the first target."""
    box_f1: float
    """F1 of the kept boxes at `iou_thr`, by IoU."""
    intersection: int | None
    pred_area: int | None
    target_area: int | None
    mask_iou: float | None
    """Term of gIoU: 0 for a rejected target; for a no-target sample 1 if rejected and 0 if not."""
    error_type: ErrorType

    def as_row(self) -> dict[str, Any]:
        """Return plain values by column."""
        return {**asdict(self), "error_type": self.error_type.value}

    @property
    def quality(self) -> tuple[float, float, float]:
        """Sort key, lowest for the worst; a confident error is worse than an uncertain one."""
        overlap = self.box_f1 if self.mask_iou is None else self.mask_iou
        confidence = 1 - self.existence if self.pred_no_target else self.existence
        return (overlap, self.box_f1, -confidence)


def sample_result(sample: Fields, criteria: ErrorCriteria) -> SampleResult:
    """Analyze one sample from `join_predictions`."""
    all_boxes, kept = box_row(sample, "original"), criteria.select_boxes(sample)
    masks = _mask_row(sample)
    count = grec_counts(kept, match="iou", iou_thr=criteria.iou_thr)
    ranked = [] if all_boxes.no_target else ranked_box_ious(all_boxes).tolist()
    return SampleResult(
        sample_id=str(sample["sample_id"]),
        image=str(sample["img_path"]),
        expression=sample["expression"],
        targets=count.targets,
        smallest_target=_smallest_fraction(all_boxes.target_boxes_xyxy, sample["ori_shape"]),
        pred_no_target=bool(sample["pred_no_target"]),
        existence=float(sample["pred_existence"]),
        top_score=float(all_boxes.scores.max()) if len(all_boxes.scores) else None,
        kept_boxes=count.kept,
        best_box_iou=ranked[0] if ranked else None,
        box_f1=count.f1,
        intersection=None if masks is None else masks.intersection,
        pred_area=None if masks is None else masks.pred_area,
        target_area=None if masks is None else masks.target_area,
        mask_iou=None if masks is None else _mask_iou(masks),
        error_type=_error_type(sample, kept, all_boxes, masks, criteria),
    )


def worst_results(results: Iterable[SampleResult], number: int) -> list[SampleResult]:
    """Return at most `number` results that are not correct, the worst first."""
    errors = [result for result in results if result.error_type is not ErrorType.CORRECT]
    return sorted(errors, key=lambda result: (result.quality, result.sample_id))[:number]


def _error_type(
    sample: Fields, kept: BoxRow, all_boxes: BoxRow, masks: MaskRow | None, criteria: ErrorCriteria
) -> ErrorType:
    if masks is not None and len(all_boxes.boxes_xyxy) == 0:
        return classify_mask_error(
            sample["pred_merged_mask"],
            sample["gt_instances_ori"]["masks"],
            iou_thr=criteria.iou_thr,
            rejected=bool(sample["pred_no_target"]),
        )
    return classify_box_errors(
        kept.boxes_xyxy,
        kept.target_boxes_xyxy,
        iou_thr=criteria.iou_thr,
        loose_thr=criteria.loose_thr,
    )


def _mask_row(sample: Fields) -> MaskRow | None:
    """Compare the masks if both prediction and targets have them."""
    targets = sample["gt_instances_ori"]
    if "pred_merged_mask" not in sample or len(targets["masks"]) != len(targets["boxes_xyxy"]):
        return None
    return mask_row(sample, "original")


def _mask_iou(row: MaskRow) -> float:
    if row.no_target:
        return float(row.pred_no_target)
    return 0.0 if row.pred_no_target else row.iou


def _smallest_fraction(boxes_xyxy: Tensor, size: tuple[int, int]) -> float | None:
    if not len(boxes_xyxy):
        return None
    areas = (boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]).prod(1)
    return float(areas.min()) / (size[0] * size[1])
