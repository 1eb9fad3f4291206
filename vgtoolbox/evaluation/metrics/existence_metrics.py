"""Metrics where expressions may name nothing: Ref-ZOM, R-RefCOCO and FP-RefCOCO."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from vgtoolbox.evaluation.functional import (
    RES_THRESHOLDS,
    Accept,
    MaskRow,
    RobustPrecision,
    compare_masks,
    false_premise_metrics,
    group_rows,
    refzom_metrics,
    robust_metrics,
)
from vgtoolbox.evaluation.metrics.row_metric import RowMetric, Values
from vgtoolbox.evaluation.metrics.sample_reader import Fields, Frame, mask_row, ref_key, required
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import (
    PUBLISHED_SCORE_THR,
    decode_masks,
    empty_rle,
    encode_masks,
    resize_masks,
)


@METRICS.register_module()
class RefZOMMetric(RowMetric[MaskRow]):
    """`mIoU`, `oIoU` and `Pr@X` over target expressions, `Acc` over the others.

    Args:
        accept: What makes a no-target sample wrong: a pixel in its "mask" (DMMI), an instance's
            "score" (InstanceVG), or the model's "decision".
        score_thr: Of `accept="score"`.
        thresholds: The values X.
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.
    """

    default_prefix = "refzom"

    def __init__(
        self,
        *,
        accept: Accept = "mask",
        score_thr: float = PUBLISHED_SCORE_THR,
        thresholds: Sequence[float] = RES_THRESHOLDS,
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        aggregate = partial(
            refzom_metrics, accept=accept, score_thr=score_thr, thresholds=tuple(thresholds)
        )
        super().__init__(aggregate, frame=frame, prefix=prefix)

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts of the merged mask against the union of the targets."""
        return mask_row(sample, self.frame)


@METRICS.register_module()
class RobustRESMetric(RowMetric[MaskRow]):
    """R-RefCOCO's `mIoU`, `oIoU`, `mRR`, `rIoU` and `Pr@X`, over refs.

    Args:
        accept: What makes a negative sentence wrong: a pixel in its "mask" (RefSegformer), an
            instance's "score" (InstanceVG), or the model's "decision".
        score_thr: Of `accept="score"`.
        precision: "official" compares the running sum of a ref's IoUs with X, "sentence" each IoU.
        thresholds: The values X.
        negative_area_size: (H, W) of the grid on which the masks of negative sentences are counted;
            None is that of the positive ones. The official code counts them at its network's size.
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.
    """

    default_prefix = "robust"

    def __init__(
        self,
        *,
        accept: Accept = "mask",
        score_thr: float = PUBLISHED_SCORE_THR,
        precision: RobustPrecision = "official",
        thresholds: Sequence[float] = RES_THRESHOLDS,
        negative_area_size: tuple[int, int] | None = None,
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        aggregate = partial(
            robust_metrics,
            accept=accept,
            score_thr=score_thr,
            precision=precision,
            thresholds=tuple(thresholds),
        )
        super().__init__(aggregate, frame=frame, prefix=prefix)
        self.negative_area_size = (
            None if negative_area_size is None else (negative_area_size[0], negative_area_size[1])
        )

    @property
    def settings(self) -> dict[str, Any]:
        """The choices behind the values."""
        size = self.negative_area_size
        return {**super().settings, "negative_area_size": size and list(size)}

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts, with the ref as `group`."""
        row = mask_row(sample, self.frame, group=ref_key(sample))
        if not (row.no_target and row.pred_area and self.negative_area_size):
            return row
        mask = decode_masks([required(sample, "pred_merged_mask")])
        (resized,) = encode_masks(resize_masks(mask, self.negative_area_size))
        return compare_masks(
            resized,
            empty_rle(self.negative_area_size),
            no_target=True,
            pred_no_target=row.pred_no_target,
            top_score=row.top_score,
            group=row.group,
        )

    def compute_metrics(self, results: Sequence[MaskRow]) -> Values:
        """Group the rows, which stand in the order of the dataset, and aggregate the refs."""
        return self.aggregate(list(group_rows(results).values()))


@METRICS.register_module()
class FalsePremiseMetric(RowMetric[MaskRow]):
    """FP-RefCOCO's `cIoU` and `See`: is the premise seen to hold, or not to?

    Args:
        accept: What makes an answer, see `false_premise_metrics`.
        score_thr: Of `accept="score"`.
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.
    """

    default_prefix = "false_premise"

    def __init__(
        self,
        *,
        accept: Accept = "decision",
        score_thr: float = PUBLISHED_SCORE_THR,
        frame: Frame = "original",
        prefix: str | None = None,
    ) -> None:
        aggregate = partial(false_premise_metrics, accept=accept, score_thr=score_thr)
        super().__init__(aggregate, frame=frame, prefix=prefix)

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts and both no-target flags."""
        return mask_row(sample, self.frame)
