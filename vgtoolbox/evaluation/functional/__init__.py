"""Metrics as pure functions over per-sample rows; every value is a percentage, 0 to 100."""

from vgtoolbox.evaluation.functional.aggregate import (
    existence_accuracy,
    mean,
    mean_percent,
    percent,
    precision_at,
)
from vgtoolbox.evaluation.functional.grec import BoxMatch, count_matches, grec_metrics, kept_boxes
from vgtoolbox.evaluation.functional.gres import GRES_THRESHOLDS, GresProtocol, gres_metrics
from vgtoolbox.evaluation.functional.multi_round import multi_round_metrics
from vgtoolbox.evaluation.functional.rec import REC_THRESHOLDS, best_box_iou, rec_metrics
from vgtoolbox.evaluation.functional.refzom import refzom_metrics
from vgtoolbox.evaluation.functional.rejection import Rejection, is_rejected
from vgtoolbox.evaluation.functional.res import (
    RES_THRESHOLDS,
    ResProtocol,
    overall_iou,
    res_metrics,
)
from vgtoolbox.evaluation.functional.robust import RobustPrecision, robust_metrics
from vgtoolbox.evaluation.functional.rows import BoxRow, MaskRow, RoundRow, compare_masks

__all__ = [
    "GRES_THRESHOLDS",
    "REC_THRESHOLDS",
    "RES_THRESHOLDS",
    "BoxMatch",
    "BoxRow",
    "GresProtocol",
    "MaskRow",
    "Rejection",
    "ResProtocol",
    "RobustPrecision",
    "RoundRow",
    "best_box_iou",
    "compare_masks",
    "count_matches",
    "existence_accuracy",
    "grec_metrics",
    "gres_metrics",
    "is_rejected",
    "kept_boxes",
    "mean",
    "mean_percent",
    "multi_round_metrics",
    "overall_iou",
    "percent",
    "precision_at",
    "rec_metrics",
    "refzom_metrics",
    "res_metrics",
    "robust_metrics",
]
