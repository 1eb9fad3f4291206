"""What a metric adds to its pure function: reading rows, and saying which options it used."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from vgtoolbox.evaluation.metrics.base import GroundingMetric, RowT
from vgtoolbox.evaluation.metrics.sample_reader import Frame

Values = dict[str, float]


class RowMetric(GroundingMetric[RowT]):
    """A metric whose values are a function of the rows.

    Args:
        aggregate: The function with its options bound, which are the `settings` of the report.
        frame: See `GroundingMetric`.
        prefix: See `GroundingMetric`.

    Raises:
        ValueError: The function refuses an option; now, and not after hours of inference.
    """

    def __init__(
        self, aggregate: partial[Values], *, frame: Frame = "original", prefix: str | None = None
    ) -> None:
        super().__init__(frame=frame, prefix=prefix)
        self.aggregate = aggregate
        aggregate([])

    @property
    def settings(self) -> dict[str, Any]:
        """The choices behind the values."""
        options = {name: _plain(value) for name, value in self.aggregate.keywords.items()}
        return {**super().settings, **options}

    def compute_metrics(self, results: Sequence[RowT]) -> Values:
        """Return the values in percent."""
        return self.aggregate(results)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
