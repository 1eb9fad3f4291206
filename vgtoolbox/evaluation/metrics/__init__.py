"""Metrics that a config names; each reads one row a sample and hands them to `functional`."""

from vgtoolbox.evaluation.metrics.base import GroundingMetric
from vgtoolbox.evaluation.metrics.box_metrics import GRECMetric, RECMetric
from vgtoolbox.evaluation.metrics.conversation_metrics import MaskSetMetric, MultiRoundMetric
from vgtoolbox.evaluation.metrics.existence_metrics import (
    FalsePremiseMetric,
    RefZOMMetric,
    RobustRESMetric,
)
from vgtoolbox.evaluation.metrics.mask_metrics import GRESMetric, ReasonSegMetric, RESMetric

__all__ = [
    "FalsePremiseMetric",
    "GRECMetric",
    "GRESMetric",
    "GroundingMetric",
    "MaskSetMetric",
    "MultiRoundMetric",
    "RECMetric",
    "RESMetric",
    "ReasonSegMetric",
    "RefZOMMetric",
    "RobustRESMetric",
]
