"""Metric of multi-round conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vgtoolbox.evaluation.functional import (
    BoxRow,
    RoundRow,
    multi_round_metrics,
    ranked_box_ious,
)
from vgtoolbox.evaluation.metrics.base import GroundingMetric
from vgtoolbox.evaluation.metrics.sample_reader import (
    Fields,
    mask_row,
    predicted_boxes,
    required,
    target_mask,
)
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import rle_boxes_xyxy


@METRICS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class MultiRoundMetric(GroundingMetric[RoundRow]):
    """`oIoU`, `mIoU` and `P@0.5` of each round, as `round1/oIoU`; rounds are counted from 1.

    The box is compared with the tight box of the target mask. SegLLM's numbers were computed on its
    padded 1024 x 1024 input (`frame="input"`).
    """

    default_prefix = "multi_round"

    def read_row(self, sample: Fields) -> RoundRow:
        """Return the pixel counts and the IoU of the best box."""
        counts = mask_row(sample, self.frame)
        boxes_xyxy, scores = predicted_boxes(sample)
        tight = rle_boxes_xyxy([target_mask(sample, self.frame)])
        ious = ranked_box_ious(
            BoxRow(boxes_xyxy=boxes_xyxy, scores=scores, target_boxes_xyxy=tight)
        )
        return RoundRow(
            **vars(counts),
            round=int(required(sample, "round")),
            box_iou=float(ious[0]) if len(ious) else 0.0,
        )

    def compute_metrics(self, results: Sequence[RoundRow]) -> dict[str, float]:
        """Return the values of all rounds, in percent."""
        return {
            f"round{index + 1}/{name}": value
            for index, values in multi_round_metrics(results).items()
            for name, value in values.items()
        }
