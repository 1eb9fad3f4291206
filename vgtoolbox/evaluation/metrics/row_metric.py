"""Base class of metrics whose values are a pure function of the rows."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from vgtoolbox.evaluation.metrics.base import GroundingMetric, RowT

MetricValues = dict[str, float]


@dataclass(kw_only=True, eq=False, repr=False)
class RowMetric(GroundingMetric[RowT]):
    """Metric that passes the rows and its options to a function of `evaluation.functional`.

    The metric must have a field for each keyword-only argument of `function`.

    Raises:
        ValueError: The function rejects an option; raised at construction, not after hours of
            inference.
    """

    function: ClassVar[Callable[..., MetricValues]]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.aggregate([])

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments of `function`, by name."""
        parameters = inspect.signature(self.function).parameters.values()
        names = (p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY)
        return {name: getattr(self, name) for name in names}

    @property
    def settings(self) -> dict[str, Any]:
        """Options behind the values."""
        options = {name: _plain(value) for name, value in self.options.items()}
        return {**super().settings, **options}

    def aggregate(self, rows: Sequence[Any]) -> MetricValues:
        """Return the values of `function` in percent."""
        return self.function(rows, **self.options)

    def compute_metrics(self, results: Sequence[RowT]) -> MetricValues:
        """Return the values in percent."""
        return self.aggregate(results)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value
