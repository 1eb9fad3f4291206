"""Metrics of boxes: REC and GREC."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, get_args

from vgtoolbox.evaluation.functional import (
    REC_THRESHOLDS,
    BoxMatch,
    BoxRow,
    MaskBox,
    grec_metrics,
    mask_box_row,
    rec_metrics,
)
from vgtoolbox.evaluation.metrics.row_metric import RowMetric
from vgtoolbox.evaluation.metrics.sample_reader import (
    Fields,
    Frame,
    box_row,
    check_frame,
    required,
    target_boxes_xyxy,
)
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import PUBLISHED_SCORE_THR

BoxSource = Literal["boxes", "mask"]


@METRICS.register_module()
class RECMetric(RowMetric[BoxRow]):
    """`Acc@X`: how often the box of highest score reaches IoU X with the target.

    Args:
        thresholds: The values X.
        inclusive: An IoU of exactly X counts.
        top_k: How many boxes of highest score may try.
        source: The predicted "boxes", or the extent of the merged "mask" (MLLMSeg).
        mask_box: How the extent is read, see `mask_box_row`; MLLMSeg's way is "pixel_index".
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.
    """

    default_prefix = "rec"

    def __init__(
        self,
        *,
        thresholds: Sequence[float] = REC_THRESHOLDS,
        inclusive: bool = True,
        top_k: Sequence[int] = (1,),
        source: BoxSource = "boxes",
        mask_box: MaskBox = "coco",
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        aggregate = partial(
            rec_metrics, thresholds=tuple(thresholds), inclusive=inclusive, top_k=tuple(top_k)
        )
        super().__init__(aggregate, frame=frame, prefix=prefix)
        if source not in get_args(BoxSource):
            raise ValueError(f"source must be 'boxes' or 'mask', got {source!r}")
        if mask_box not in get_args(MaskBox):
            raise ValueError(f"mask_box must be 'coco' or 'pixel_index', got {mask_box!r}")
        self.source = source
        self.mask_box: MaskBox = mask_box

    @property
    def settings(self) -> dict[str, Any]:
        """The choices behind the values."""
        how = {"mask_box": self.mask_box} if self.source == "mask" else {}
        return {**super().settings, "source": self.source, **how}

    def read_row(self, sample: Fields) -> BoxRow:
        """Return the predicted boxes beside the target boxes."""
        if self.source == "boxes":
            return box_row(sample, self.frame)
        check_frame(sample, self.frame)
        return mask_box_row(
            required(sample, "pred_merged_mask"),
            target_boxes_xyxy(sample, self.frame),
            mask_box=self.mask_box,
        )


@METRICS.register_module()
class GRECMetric(RowMetric[BoxRow]):
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
        score_thr: float = PUBLISHED_SCORE_THR,
        iou_thr: float = 0.5,
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        aggregate = partial(grec_metrics, match=match, score_thr=score_thr, iou_thr=iou_thr)
        super().__init__(aggregate, frame=frame, prefix=prefix)

    def read_row(self, sample: Fields) -> BoxRow:
        """Return the predicted boxes beside the target boxes."""
        return box_row(sample, self.frame)
