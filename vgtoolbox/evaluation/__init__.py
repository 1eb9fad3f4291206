"""Metrics: pure functions over per-sample rows, what a config names, and their reports."""

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
from vgtoolbox.evaluation.predictions import (
    PredictionRecord,
    PredictionWriter,
    iter_predictions,
    prediction_record,
    read_predictions,
)
from vgtoolbox.evaluation.report import MetricReport, format_metric_table, write_metric_report

__all__ = [
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
    "format_metric_table",
    "iter_predictions",
    "prediction_record",
    "read_predictions",
    "write_metric_report",
]
