"""Metrics that a config names; each reads one row a sample and hands them to `functional`."""

from vgtoolbox.evaluation.metrics.base import GroundingMetric
from vgtoolbox.evaluation.metrics.box_metrics import GRECMetric, RECMetric
from vgtoolbox.evaluation.metrics.mask_metrics import GRESMetric, RESMetric

__all__ = ["GRECMetric", "GRESMetric", "GroundingMetric", "RECMetric", "RESMetric"]
