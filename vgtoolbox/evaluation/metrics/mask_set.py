"""Metric of several masks in one answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vgtoolbox.evaluation.functional import (
    EmptyUnion,
    MaskSetRow,
    MaskSetUnit,
    mask_set_metrics,
    pair_masks,
)
from vgtoolbox.evaluation.metrics.row_metric import RowMetric
from vgtoolbox.evaluation.metrics.sample_reader import (
    Fields,
    check_frame,
    image_group,
    predicted_boxes,
    required,
    target_masks,
)
from vgtoolbox.registry import METRICS


@METRICS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class MaskSetMetric(RowMetric[MaskSetRow]):
    """MUSE's `gIoU` and `cIoU` of all masks of an answer, paired with the targets.

    Args:
        unit: Unit in which predictions and targets are counted, the "image" or each "question".
        empty_union: IoU of a pair of two empty masks.
        score_thr: Least score of an instance that is part of the answer.
    """

    default_prefix = "muse"
    function = staticmethod(mask_set_metrics)

    unit: MaskSetUnit = "image"
    empty_union: EmptyUnion = "one"
    score_thr: float = 0.0

    @property
    def settings(self) -> dict[str, Any]:
        """Options behind the values."""
        return {**super().settings, "score_thr": self.score_thr}

    def read_row(self, sample: Fields) -> MaskSetRow:
        """Pair the instance masks with the targets.

        Raises:
            ValueError: The numbers of predicted instances and masks differ.
        """
        check_frame(sample, self.frame)
        predicted = required(sample, "pred_instances")
        _, scores = predicted_boxes(sample)
        if len(predicted.get("masks", [])) != len(scores):
            raise ValueError(
                f"sample {sample.get('sample_id')!r} must have one mask per predicted instance, "
                f"got {len(scores)} predicted instances and {len(predicted.get('masks', []))} masks"
            )
        scored = zip(predicted["masks"], scores.tolist(), strict=True)
        return pair_masks(
            [mask for mask, score in scored if score >= self.score_thr],
            target_masks(sample, self.frame),
            group=image_group(sample),
        )
