"""Metrics of boxes: REC and GREC."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vgtoolbox.evaluation.functional import (
    REC_THRESHOLDS,
    BoxMatch,
    BoxRow,
    grec_metrics,
    rec_metrics,
)
from vgtoolbox.evaluation.metrics.base import GroundingMetric
from vgtoolbox.evaluation.metrics.sample_reader import Fields, Frame, box_row
from vgtoolbox.registry import METRICS


@METRICS.register_module()
class RECMetric(GroundingMetric[BoxRow]):
    """`Acc@X`: how often the box of highest score reaches IoU X with the target.

    Args:
        thresholds: The values X.
        inclusive: An IoU of exactly X counts.
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.
    """

    default_prefix = "rec"

    def __init__(
        self,
        *,
        thresholds: Sequence[float] = REC_THRESHOLDS,
        inclusive: bool = True,
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        super().__init__(frame=frame, prefix=prefix)
        self.thresholds = tuple(thresholds)
        self.inclusive = inclusive

    @property
    def settings(self) -> dict[str, Any]:
        """The choices behind the values."""
        return {**super().settings, "inclusive": self.inclusive}

    def read_row(self, sample: Fields) -> BoxRow:
        """Return the predicted boxes beside the target boxes."""
        return box_row(sample, self.frame)

    def compute_metrics(self, results: list[BoxRow]) -> dict[str, float]:
        """Return `Acc@X` in percent."""
        return rec_metrics(results, thresholds=self.thresholds, inclusive=self.inclusive)


@METRICS.register_module()
class GRECMetric(GroundingMetric[BoxRow]):
    """`Pr@(F1=1)`, `N-acc` and `T-acc` of zero, one or many boxes.

    Args:
        match: "giou" as the official evaluator, or "iou" as mmdet's port.
        score_thr: Boxes with at least this score are kept.
        iou_thr: Pairs with at least this (generalised) IoU are matched.
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.
    """

    default_prefix = "grec"

    def __init__(
        self,
        *,
        match: BoxMatch = "giou",
        score_thr: float = 0.7,
        iou_thr: float = 0.5,
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        super().__init__(frame=frame, prefix=prefix)
        if match not in ("giou", "iou"):
            raise ValueError(f"match must be 'giou' or 'iou', got {match!r}")
        self.match: BoxMatch = match
        self.score_thr = score_thr
        self.iou_thr = iou_thr

    @property
    def settings(self) -> dict[str, Any]:
        """The choices behind the values."""
        return {
            **super().settings,
            "match": self.match,
            "score_thr": self.score_thr,
            "iou_thr": self.iou_thr,
        }

    def read_row(self, sample: Fields) -> BoxRow:
        """Return the predicted boxes beside the target boxes."""
        return box_row(sample, self.frame)

    def compute_metrics(self, results: list[BoxRow]) -> dict[str, float]:
        """Return the three values in percent."""
        return grec_metrics(
            results, match=self.match, score_thr=self.score_thr, iou_thr=self.iou_thr
        )
