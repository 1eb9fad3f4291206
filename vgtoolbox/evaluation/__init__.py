"""Metrics, their reports, prediction files and error analysis."""

from vgtoolbox.evaluation.error_analysis.breakdown import ErrorBreakdown, error_breakdown
from vgtoolbox.evaluation.error_analysis.error_types import (
    ErrorType,
    classify_box_errors,
    classify_mask_error,
)
from vgtoolbox.evaluation.error_analysis.report import error_table, plot_errors
from vgtoolbox.evaluation.error_analysis.sample_results import (
    ErrorCriteria,
    SampleResult,
    sample_result,
    worst_results,
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
from vgtoolbox.evaluation.predictions.readers import (
    DetectionOptions,
    FilePrediction,
    MaskMerge,
    PredictionFormat,
    ScoredDetections,
    detect_prediction_format,
    iter_keyed_predictions,
)
from vgtoolbox.evaluation.predictions.records import (
    PredictionRecord,
    PredictionWriter,
    iter_predictions,
    prediction_record,
    read_predictions,
)
from vgtoolbox.evaluation.predictions.scoring import (
    MatchKey,
    MissingPolicy,
    join_predictions,
    score_samples,
)
from vgtoolbox.evaluation.report import MetricReport, format_metric_table, write_metric_report

__all__ = [
    "DetectionOptions",
    "ErrorBreakdown",
    "ErrorCriteria",
    "ErrorType",
    "FalsePremiseMetric",
    "FilePrediction",
    "GRECMetric",
    "GRESMetric",
    "GroundingMetric",
    "MaskMerge",
    "MaskSetMetric",
    "MatchKey",
    "MetricReport",
    "MissingPolicy",
    "MultiRoundMetric",
    "PredictionFormat",
    "PredictionRecord",
    "PredictionWriter",
    "RECMetric",
    "RESMetric",
    "ReasonSegMetric",
    "RefZOMMetric",
    "RobustRESMetric",
    "SampleResult",
    "ScoredDetections",
    "check_table_path",
    "classify_box_errors",
    "classify_mask_error",
    "detect_prediction_format",
    "error_breakdown",
    "error_table",
    "format_metric_table",
    "iter_keyed_predictions",
    "iter_predictions",
    "join_predictions",
    "plot_errors",
    "prediction_record",
    "read_predictions",
    "sample_result",
    "score_samples",
    "worst_results",
    "write_metric_report",
    "write_sample_table",
]
