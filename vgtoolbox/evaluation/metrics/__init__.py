"""Registered metrics: read one row per sample and aggregate the rows with `functional`."""

from vgtoolbox.evaluation.metrics.base import GroundingMetric
from vgtoolbox.evaluation.metrics.box_metrics import GRECMetric, RECMetric
from vgtoolbox.evaluation.metrics.existence_metrics import (
    FalsePremiseMetric,
    RefZOMMetric,
    RobustRESMetric,
)
from vgtoolbox.evaluation.metrics.mask_metrics import GRESMetric, ReasonSegMetric, RESMetric
from vgtoolbox.evaluation.metrics.mask_set import MaskSetMetric
from vgtoolbox.evaluation.metrics.multi_round import MultiRoundMetric

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
