"""Metrics as pure functions over per-sample rows; every value is a percentage in [0, 100]."""

from vgtoolbox.evaluation.functional.acceptance import (
    Accept,
    accepts,
    check_accept,
)
from vgtoolbox.evaluation.functional.aggregate import (
    existence_accuracy,
    mean,
    mean_percent,
    percent,
    precision_at,
)
from vgtoolbox.evaluation.functional.false_premise import false_premise_metrics
from vgtoolbox.evaluation.functional.grec import (
    BoxMatch,
    GrecCounts,
    grec_counts,
    grec_metrics,
    greedy_pairs,
    kept_boxes,
)
from vgtoolbox.evaluation.functional.gres import GRES_THRESHOLDS, GresProtocol, gres_metrics
from vgtoolbox.evaluation.functional.mask_sets import MaskSetUnit, mask_set_metrics
from vgtoolbox.evaluation.functional.multi_round import multi_round_metrics
from vgtoolbox.evaluation.functional.rec import REC_THRESHOLDS, ranked_box_ious, rec_metrics
from vgtoolbox.evaluation.functional.refzom import refzom_metrics
from vgtoolbox.evaluation.functional.res import (
    RES_THRESHOLDS,
    EmptyUnion,
    Queries,
    ResProtocol,
    check_empty_union,
    overall_iou,
    reasonseg_metrics,
    res_metrics,
)
from vgtoolbox.evaluation.functional.robust import RobustPrecision, robust_metrics
from vgtoolbox.evaluation.functional.rows import (
    BoxRow,
    MaskBox,
    MaskRow,
    MaskSetRow,
    RoundRow,
    compare_masks,
    group_rows,
    mask_box_row,
    pair_masks,
)

__all__ = [
    "GRES_THRESHOLDS",
    "REC_THRESHOLDS",
    "RES_THRESHOLDS",
    "Accept",
    "BoxMatch",
    "BoxRow",
    "EmptyUnion",
    "GrecCounts",
    "GresProtocol",
    "MaskBox",
    "MaskRow",
    "MaskSetRow",
    "MaskSetUnit",
    "Queries",
    "ResProtocol",
    "RobustPrecision",
    "RoundRow",
    "accepts",
    "check_accept",
    "check_empty_union",
    "compare_masks",
    "existence_accuracy",
    "false_premise_metrics",
    "grec_counts",
    "grec_metrics",
    "greedy_pairs",
    "gres_metrics",
    "group_rows",
    "kept_boxes",
    "mask_box_row",
    "mask_set_metrics",
    "mean",
    "mean_percent",
    "multi_round_metrics",
    "overall_iou",
    "pair_masks",
    "percent",
    "precision_at",
    "ranked_box_ious",
    "reasonseg_metrics",
    "rec_metrics",
    "refzom_metrics",
    "res_metrics",
    "robust_metrics",
]
