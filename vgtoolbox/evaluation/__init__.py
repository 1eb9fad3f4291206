"""Metrics: pure functions over per-sample rows, what a config names, and their reports."""

from vgtoolbox.evaluation.error_analysis.error_types import (
    ErrorType,
    classify_box_errors,
    classify_mask_error,
)
from vgtoolbox.evaluation.error_analysis.report import error_table, plot_errors
from vgtoolbox.evaluation.error_analysis.sample_results import (
    AnswerRule,
    SampleResult,
    break_down,
    sample_result,
    worst,
)
from vgtoolbox.evaluation.error_analysis.table import check_table_path, write_sample_table
from vgtoolbox.evaluation.metrics import (
    FalsePremiseMetric,
    GRECMetric,
    GRESMetric,
    GroundingMetric,
    MaskSetMetric,
    MultiRoundMetric,
    ReasonSegMetric,
    RECMetric,
    RefZOMMetric,
    RESMetric,
    RobustRESMetric,
)
from vgtoolbox.evaluation.predictions.readers import DetectionRule, guess_layout, iter_answers
from vgtoolbox.evaluation.predictions.records import (
    PredictionRecord,
    PredictionWriter,
    iter_predictions,
    prediction_record,
    read_predictions,
)
from vgtoolbox.evaluation.predictions.scoring import joined_samples, score_samples
from vgtoolbox.evaluation.report import MetricReport, format_metric_table, write_metric_report

__all__ = [
    "AnswerRule",
    "DetectionRule",
    "ErrorType",
    "FalsePremiseMetric",
    "GRECMetric",
    "GRESMetric",
    "GroundingMetric",
    "MaskSetMetric",
    "MetricReport",
    "MultiRoundMetric",
    "PredictionRecord",
    "PredictionWriter",
    "RECMetric",
    "RESMetric",
    "ReasonSegMetric",
    "RefZOMMetric",
    "RobustRESMetric",
    "SampleResult",
    "break_down",
    "check_table_path",
    "classify_box_errors",
    "classify_mask_error",
    "error_table",
    "format_metric_table",
    "guess_layout",
    "iter_answers",
    "iter_predictions",
    "joined_samples",
    "plot_errors",
    "prediction_record",
    "read_predictions",
    "sample_result",
    "score_samples",
    "worst",
    "write_metric_report",
    "write_sample_table",
]
