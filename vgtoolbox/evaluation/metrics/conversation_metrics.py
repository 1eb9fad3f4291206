"""Metrics of language models: rounds of a conversation, and several masks in one answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from vgtoolbox.evaluation.functional import (
    BoxRow,
    EmptyUnion,
    MaskSetRow,
    MaskSetUnit,
    RoundRow,
    mask_set_metrics,
    multi_round_metrics,
    pair_masks,
    ranked_box_ious,
)
from vgtoolbox.evaluation.metrics.base import GroundingMetric
from vgtoolbox.evaluation.metrics.row_metric import RowMetric
from vgtoolbox.evaluation.metrics.sample_reader import (
    Fields,
    Frame,
    check_frame,
    image_key,
    mask_row,
    predicted_boxes,
    required,
    target_mask,
    target_masks,
)
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import rle_boxes_xyxy


@METRICS.register_module()
class MultiRoundMetric(GroundingMetric[RoundRow]):
    """`oIoU`, `mIoU` and `P@0.5` of each round, as `round1/oIoU`; rounds count from 1.

    The box is compared with the tight box of the target mask.

    Args:
        frame: See `GroundingMetric`; SegLLM's numbers are of its padded 1024 x 1024 "input".
        prefix: See `GroundingMetric`.
    """

    default_prefix = "multi_round"

    def __init__(self, *, frame: Frame = "original", prefix: str | None = None) -> None:
        super().__init__(frame=frame, prefix=prefix)

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


@METRICS.register_module()
class MaskSetMetric(RowMetric[MaskSetRow]):
    """MUSE's `gIoU` and `cIoU` of all masks of an answer, paired with those asked for.

    Args:
        unit: Where predictions and targets are counted, in the "image" or in each "question".
        empty_union: What a pair counts where both masks are empty.
        score_thr: Instances with at least this score are part of the answer.
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.
    """

    default_prefix = "muse"

    def __init__(
        self,
        *,
        unit: MaskSetUnit = "image",
        empty_union: EmptyUnion = "one",
        score_thr: float = 0.0,
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        aggregate = partial(mask_set_metrics, unit=unit, empty_union=empty_union)
        super().__init__(aggregate, frame=frame, prefix=prefix)
        self.score_thr = score_thr

    @property
    def settings(self) -> dict[str, Any]:
        """The choices behind the values."""
        return {**super().settings, "score_thr": self.score_thr}

    def read_row(self, sample: Fields) -> MaskSetRow:
        """Pair the instance masks with the targets."""
        check_frame(sample, self.frame)
        predicted = required(sample, "pred_instances")
        _, scores = predicted_boxes(sample)
        if len(predicted.get("masks", [])) != len(scores):
            raise ValueError(
                f"sample {sample.get('sample_id')!r} has {len(scores)} predicted instances and "
                f"{len(predicted.get('masks', []))} masks; masks are paired one by one"
            )
        chosen = zip(predicted["masks"], scores.tolist(), strict=True)
        return pair_masks(
            [mask for mask, score in chosen if score >= self.score_thr],
            target_masks(sample, self.frame),
            group=image_key(sample),
        )
