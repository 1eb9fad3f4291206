"""Metrics of the merged mask: RES, GRES and ReasonSeg."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, get_args

from vgtoolbox.evaluation.functional import (
    GRES_THRESHOLDS,
    RES_THRESHOLDS,
    Accept,
    EmptyUnion,
    GresProtocol,
    MaskRow,
    Queries,
    ResProtocol,
    gres_metrics,
    reasonseg_metrics,
    res_metrics,
)
from vgtoolbox.evaluation.metrics.row_metric import RowMetric
from vgtoolbox.evaluation.metrics.sample_reader import (
    Fields,
    Frame,
    ignore_mask,
    image_key,
    mask_row,
    required,
)
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import PUBLISHED_SCORE_THR

IgnoredPixels = Literal["exclude", "background"]


@METRICS.register_module()
class RESMetric(RowMetric[MaskRow]):
    """`mIoU`, `oIoU` and `Pr@X` of the merged mask.

    Args:
        protocol: "refcoco", or "lisa" and "mllmseg" (`gIoU` and `cIoU`).
        empty_union: What a sample counts where both masks are empty; None is the protocol's own.
        thresholds: The values X of "refcoco".
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.
    """

    default_prefix = "res"

    def __init__(
        self,
        *,
        protocol: ResProtocol = "refcoco",
        empty_union: EmptyUnion | None = None,
        thresholds: Sequence[float] = RES_THRESHOLDS,
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        aggregate = partial(
            res_metrics,
            protocol=protocol,
            empty_union=empty_union or ("zero" if protocol == "refcoco" else "one"),
            thresholds=tuple(thresholds),
        )
        super().__init__(aggregate, frame=frame, prefix=prefix)

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts of the merged mask against the union of the targets."""
        return mask_row(sample, self.frame, group=image_key(sample))


@METRICS.register_module()
class GRESMetric(RowMetric[MaskRow]):
    """`gIoU`, `cIoU`, `N-acc`, `T-acc` and `Pr@X` of the merged mask and the no-target decision.

    Args:
        protocol: "rela" as gRefCOCO's evaluator, or "gsva", which credits rejected targets.
        accept: What counts as not rejected: the model's "decision" (`pred_no_target`, whatever its
            mask holds), the "mask", or an instance's "score".
        score_thr: Of `accept="score"`.
        thresholds: The values X of "rela".
        count_false_area: See `gres_metrics`.
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.
    """

    default_prefix = "gres"

    def __init__(
        self,
        *,
        protocol: GresProtocol = "rela",
        accept: Accept = "decision",
        score_thr: float = PUBLISHED_SCORE_THR,
        thresholds: Sequence[float] = GRES_THRESHOLDS,
        count_false_area: bool = True,
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        aggregate = partial(
            gres_metrics,
            protocol=protocol,
            accept=accept,
            score_thr=score_thr,
            thresholds=tuple(thresholds),
            count_false_area=count_false_area,
        )
        super().__init__(aggregate, frame=frame, prefix=prefix)
        self.accept = accept

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts and both no-target flags."""
        if self.accept == "decision":
            required(sample, "pred_no_target")
        return mask_row(sample, self.frame)


@METRICS.register_module()
class ReasonSegMetric(RowMetric[MaskRow]):
    """ReasonSeg's `gIoU` and `cIoU`, with the pixels that the annotation says to ignore.

    Args:
        queries: Only the "first" query of each image, as published, or "all".
        ignored_pixels: "exclude" the ignored pixels from I and U (LISA, READ, UGround), or take
            them for "background" (SegLLM).
        empty_union: What a sample counts where both masks are empty.
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.
    """

    default_prefix = "reasonseg"

    def __init__(
        self,
        *,
        queries: Queries = "first",
        ignored_pixels: IgnoredPixels = "exclude",
        empty_union: EmptyUnion = "one",
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        aggregate = partial(reasonseg_metrics, queries=queries, empty_union=empty_union)
        super().__init__(aggregate, frame=frame, prefix=prefix)
        if ignored_pixels not in get_args(IgnoredPixels):
            raise ValueError(
                f"ignored_pixels must be 'exclude' or 'background', got {ignored_pixels!r}"
            )
        self.ignored_pixels = ignored_pixels

    @property
    def settings(self) -> dict[str, Any]:
        """The choices behind the values."""
        return {**super().settings, "ignored_pixels": self.ignored_pixels}

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts outside of the ignored region."""
        ignore = ignore_mask(sample, self.frame) if self.ignored_pixels == "exclude" else None
        return mask_row(sample, self.frame, group=image_key(sample), ignore=ignore)
