"""Metrics: pure functions over per-sample rows, what a config names, and their reports."""

from vgtoolbox.evaluation.error_report import error_table, plot_errors
from vgtoolbox.evaluation.errors import Verdict, judge_boxes, judge_mask
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
from vgtoolbox.evaluation.outcomes import (
    AnswerRule,
    Outcome,
    break_down,
    sample_outcome,
    worst,
)
from vgtoolbox.evaluation.prediction_files import DetectionRule, guess_layout, iter_answers
from vgtoolbox.evaluation.predictions import (
    PredictionRecord,
    PredictionWriter,
    iter_predictions,
    prediction_record,
    read_predictions,
)
from vgtoolbox.evaluation.report import MetricReport, format_metric_table, write_metric_report
from vgtoolbox.evaluation.sample_table import check_table_path, write_sample_table
from vgtoolbox.evaluation.scoring import joined_samples, score_samples

__all__ = [
    "AnswerRule",
    "DetectionRule",
    "FalsePremiseMetric",
    "GRECMetric",
    "GRESMetric",
    "GroundingMetric",
    "MaskSetMetric",
    "MetricReport",
    "MultiRoundMetric",
    "Outcome",
    "PredictionRecord",
    "PredictionWriter",
    "RECMetric",
    "RESMetric",
    "ReasonSegMetric",
    "RefZOMMetric",
    "RobustRESMetric",
    "Verdict",
    "break_down",
    "check_table_path",
    "error_table",
    "format_metric_table",
    "guess_layout",
    "iter_answers",
    "iter_predictions",
    "joined_samples",
    "judge_boxes",
    "judge_mask",
    "plot_errors",
    "prediction_record",
    "read_predictions",
    "sample_outcome",
    "score_samples",
    "worst",
    "write_metric_report",
    "write_sample_table",
]
