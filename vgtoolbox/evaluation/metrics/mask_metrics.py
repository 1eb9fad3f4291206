"""Metrics of the merged mask: RES, GRES and ReasonSeg."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from vgtoolbox.evaluation.functional import (
    GRES_THRESHOLDS,
    EmptyUnion,
    GresProtocol,
    MaskRow,
    Queries,
    ResProtocol,
    gres_metrics,
    reasonseg_metrics,
    res_metrics,
)
from vgtoolbox.evaluation.metrics.options import AcceptOptions, ThresholdOptions
from vgtoolbox.evaluation.metrics.row_metric import RowMetric
from vgtoolbox.evaluation.metrics.sample_reader import (
    Fields,
    ignore_mask,
    image_group,
    mask_row,
    required,
)
from vgtoolbox.registry import METRICS
from vgtoolbox.utils.choices import check_choice

IgnoredPixels = Literal["exclude", "background"]


@METRICS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class RESMetric(ThresholdOptions, RowMetric[MaskRow]):
    """`mIoU`, `oIoU` and `Pr@X` of the merged mask.

    Args:
        protocol: "refcoco", or "lisa" and "mllmseg" (`gIoU` and `cIoU`); "lisa" and "mllmseg" have
            no `Pr@X`.
        empty_union: IoU of a sample whose two masks are empty. If `None`, it is set by the
            protocol, see `res_metrics`.
    """

    default_prefix = "res"
    function = staticmethod(res_metrics)

    protocol: ResProtocol = "refcoco"
    empty_union: EmptyUnion | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        # The report states the convention that was used.
        self.empty_union = self.empty_union or ("zero" if self.protocol == "refcoco" else "one")

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts of the merged mask and the union of the targets."""
        return mask_row(sample, self.frame, group=image_group(sample))


@METRICS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class GRESMetric(AcceptOptions, ThresholdOptions, RowMetric[MaskRow]):
    """`gIoU`, `cIoU`, `N-acc`, `T-acc` and `Pr@X` of the merged mask and the no-target decision.

    Args:
        protocol: "rela" as in gRefCOCO's evaluator, or "gsva", which credits rejected targets and
            has no `Pr@X`.
        count_false_area: Whether a mask on a no-target sample enlarges the union, see
            `gres_metrics`.
    """

    default_prefix = "gres"
    function = staticmethod(gres_metrics)

    protocol: GresProtocol = "rela"
    thresholds: Sequence[float] = GRES_THRESHOLDS
    count_false_area: bool = True

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts and both no-target flags."""
        if self.accept == "decision":
            required(sample, "pred_no_target")
        return mask_row(sample, self.frame)


@METRICS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class ReasonSegMetric(RowMetric[MaskRow]):
    """ReasonSeg's `gIoU` and `cIoU`, with the pixels that the annotation marks as ignored.

    Args:
        queries: Queries that count: the "first" of each image, as published, or "all".
        ignored_pixels: Treatment of ignored pixels: "exclude" them from I and U (LISA, READ,
            UGround), or count them as "background" (SegLLM).
        empty_union: IoU of a sample whose two masks are empty.
    """

    default_prefix = "reasonseg"
    function = staticmethod(reasonseg_metrics)

    queries: Queries = "first"
    ignored_pixels: IgnoredPixels = "exclude"
    empty_union: EmptyUnion = "one"

    def __post_init__(self) -> None:
        check_choice("ignored_pixels", self.ignored_pixels, get_args(IgnoredPixels))
        super().__post_init__()

    @property
    def settings(self) -> dict[str, Any]:
        """Options behind the values."""
        return {**super().settings, "ignored_pixels": self.ignored_pixels}

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts outside the ignored region."""
        ignore = ignore_mask(sample, self.frame) if self.ignored_pixels == "exclude" else None
        return mask_row(sample, self.frame, group=image_group(sample), ignore=ignore)
