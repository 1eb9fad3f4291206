"""Metrics for expressions that may name nothing: Ref-ZOM, R-RefCOCO and FP-RefCOCO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vgtoolbox.evaluation.functional import (
    Accept,
    MaskRow,
    RobustPrecision,
    compare_masks,
    false_premise_metrics,
    group_rows,
    refzom_metrics,
    robust_metrics,
)
from vgtoolbox.evaluation.metrics.options import AcceptOptions, ThresholdOptions
from vgtoolbox.evaluation.metrics.row_metric import MetricValues, RowMetric
from vgtoolbox.evaluation.metrics.sample_reader import Fields, mask_row, ref_group, required
from vgtoolbox.registry import METRICS
from vgtoolbox.structures import decode_masks, empty_rle, encode_masks, resize_masks


@METRICS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class RefZOMMetric(AcceptOptions, ThresholdOptions, RowMetric[MaskRow]):
    """`mIoU`, `oIoU` and `Pr@X` over target expressions, `Acc` over the others.

    Args:
        accept: Rule by which a no-target sample is wrong: a pixel in its "mask" (DMMI), an
            instance's "score" (InstanceVG), or the model's "decision".
    """

    default_prefix = "refzom"
    function = staticmethod(refzom_metrics)

    accept: Accept = "mask"

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts of the merged mask and the union of the targets."""
        return mask_row(sample, self.frame)


@METRICS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class RobustRESMetric(AcceptOptions, ThresholdOptions, RowMetric[MaskRow]):
    """R-RefCOCO's `mIoU`, `oIoU`, `mRR`, `rIoU` and `Pr@X`, over refs.

    Args:
        accept: Rule by which a negative sentence is wrong: a pixel in its "mask" (RefSegformer), an
            instance's "score" (InstanceVG), or the model's "decision".
        precision: Values that `Pr@X` compares with X: "official" is the running sum of a ref's
            IoUs, "sentence" each IoU.
        negative_area_size: Size (H, W) of the grid on which the masks of negative sentences are
            counted; the official code counts them at the size of its network's input. If `None`,
            it is the grid of the positive ones.
    """

    default_prefix = "robust"
    function = staticmethod(robust_metrics)

    accept: Accept = "mask"
    precision: RobustPrecision = "official"
    negative_area_size: Sequence[int] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Options behind the values."""
        size = self.negative_area_size
        return {**super().settings, "negative_area_size": size and list(size)}

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts, with the ref as `group`."""
        row = mask_row(sample, self.frame, group=ref_group(sample))
        if not (row.no_target and row.pred_area and self.negative_area_size):
            return row
        size = (self.negative_area_size[0], self.negative_area_size[1])
        mask = decode_masks([required(sample, "pred_merged_mask")])
        (resized,) = encode_masks(resize_masks(mask, size))
        return compare_masks(
            resized,
            empty_rle(size),
            no_target=True,
            pred_no_target=row.pred_no_target,
            top_score=row.top_score,
            group=row.group,
        )

    def compute_metrics(self, results: Sequence[MaskRow]) -> MetricValues:
        """Group the rows, which are in the order of the dataset, and aggregate the refs."""
        return self.aggregate(list(group_rows(results).values()))


@METRICS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class FalsePremiseMetric(AcceptOptions, RowMetric[MaskRow]):
    """FP-RefCOCO's `cIoU` and `See`, the accuracy of deciding whether a premise is true."""

    default_prefix = "false_premise"
    function = staticmethod(false_premise_metrics)

    def read_row(self, sample: Fields) -> MaskRow:
        """Return the pixel counts and both no-target flags."""
        return mask_row(sample, self.frame)
