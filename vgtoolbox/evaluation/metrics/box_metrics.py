"""Metrics of boxes: REC and GREC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from vgtoolbox.evaluation.metrics.options import ThresholdOptions
from vgtoolbox.evaluation.metrics.row_metric import RowMetric
from vgtoolbox.evaluation.metrics.sample_reader import (
    Fields,
    box_row,
    check_frame,
    required,
    target_boxes_xyxy,
)
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import PUBLISHED_SCORE_THR
from vgtoolbox.utils.choices import check_choice

BoxSource = Literal["boxes", "mask"]


@METRICS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class RECMetric(ThresholdOptions, RowMetric[BoxRow]):
    """`Acc@X`: share of expressions whose highest-scoring box has IoU X with the target.

    Args:
        inclusive: Whether an IoU of exactly X is a hit.
        top_k: Numbers of highest-scoring boxes of which one must be a hit.
        source: Source of the predicted box: the predicted "boxes", or the extent of the merged
            "mask" (MLLMSeg).
        mask_box: Convention of the extent, see `mask_box_row`; MLLMSeg's is "pixel_index".
    """

    default_prefix = "rec"
    function = staticmethod(rec_metrics)

    thresholds: Sequence[float] = REC_THRESHOLDS
    inclusive: bool = True
    top_k: Sequence[int] = (1,)
    source: BoxSource = "boxes"
    mask_box: MaskBox = "coco"

    def __post_init__(self) -> None:
        check_choice("source", self.source, get_args(BoxSource))
        check_choice("mask_box", self.mask_box, get_args(MaskBox))
        super().__post_init__()

    @property
    def settings(self) -> dict[str, Any]:
        """Options behind the values."""
        extent = {"mask_box": self.mask_box} if self.source == "mask" else {}
        return {**super().settings, "source": self.source, **extent}

    def read_row(self, sample: Fields) -> BoxRow:
        """Return the predicted boxes and the target boxes."""
        if self.source == "boxes":
            return box_row(sample, self.frame)
        check_frame(sample, self.frame)
        return mask_box_row(
            required(sample, "pred_merged_mask"),
            target_boxes_xyxy(sample, self.frame),
            mask_box=self.mask_box,
        )


@METRICS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class GRECMetric(RowMetric[BoxRow]):
    """`Pr@(F1=1)`, `N-acc` and `T-acc` of zero, one or many boxes.

    Args:
        match: Similarity of boxes: "giou" as in the official evaluator, or "iou" as in mmdet's
            port.
        score_thr: Least score of a kept box.
        iou_thr: Least similarity of a matched pair.
    """

    default_prefix = "grec"
    function = staticmethod(grec_metrics)

    match: BoxMatch = "giou"
    score_thr: float = PUBLISHED_SCORE_THR
    iou_thr: float = 0.5

    def read_row(self, sample: Fields) -> BoxRow:
        """Return the predicted boxes and the target boxes."""
        return box_row(sample, self.frame)
