"""Metrics: pure functions over per-sample rows, what a config names, and their reports."""

from vgtoolbox.evaluation.metrics import (
    GRECMetric,
    GRESMetric,
    GroundingMetric,
    RECMetric,
    RESMetric,
)
from vgtoolbox.evaluation.predictions import (
    PredictionRecord,
    PredictionWriter,
    prediction_record,
    read_predictions,
)
from vgtoolbox.evaluation.report import MetricReport, format_metric_table, write_metric_report

__all__ = [
    "GRECMetric",
    "GRESMetric",
    "GroundingMetric",
    "MetricReport",
    "PredictionRecord",
    "PredictionWriter",
    "RECMetric",
    "RESMetric",
    "format_metric_table",
    "prediction_record",
    "read_predictions",
    "write_metric_report",
]
