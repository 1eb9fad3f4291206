"""Base class of metrics: one row per sample, each sample once, on any number of processes."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_args

from mmengine.dist import all_gather_object, broadcast_object_list, is_main_process
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from mmengine.structures import BaseDataElement

from vgtoolbox.evaluation.metrics.sample_reader import Fields, required, sample_fields
from vgtoolbox.structures import Frame
from vgtoolbox.utils.choices import check_choice

RowT = TypeVar("RowT")


@dataclass(kw_only=True, eq=False, repr=False)
class GroundingMetric(BaseMetric, Generic[RowT]):
    """Metric that reads one row from each sample and aggregates the rows of the whole split.

    mmengine's own collection interleaves the processes and truncates the list to the length of the
    dataset, which is correct only for its own sampler. Here each row has its `sample_idx`: whole
    rows are gathered, a sample that a padded sampler repeated counts once, and rows are aggregated
    in the order of the dataset. The values are therefore those of one process, to the last bit.

    Options of a metric are fields, which `@dataclass(kw_only=True, eq=False, repr=False)` turns
    into arguments.

    Args:
        frame: Frame in which predictions and targets are compared: "original" pixels, or the
            "input" pixels in which some published numbers were computed.
        prefix: Prefix of the names of the values, as in `gres/gIoU`. If `None`, the metric's own is
            used.
    """

    frame: Frame = "original"
    prefix: str | None = None

    def __post_init__(self) -> None:
        check_choice("frame", self.frame, get_args(Frame))
        super().__init__(prefix=self.prefix)

    @property
    def settings(self) -> dict[str, Any]:
        """Options behind the values, as plain JSON-serializable values, for the report."""
        return {"frame": self.frame}

    @abstractmethod
    def read_row(self, sample: Fields) -> RowT:
        """Return the row of one sample."""

    @abstractmethod
    def compute_metrics(self, results: Sequence[RowT]) -> dict[str, float]:
        """Aggregate the rows of all samples, in the order of the dataset; names without prefix."""

    def process(self, data_batch: Any, data_samples: Sequence[BaseDataElement | dict]) -> None:
        """Read the rows of one batch.

        Args:
            data_batch: Ignored, since samples contain their targets.
            data_samples: Samples with targets and predictions.
        """
        for sample in map(sample_fields, data_samples):
            self.results.append((int(required(sample, "sample_idx")), self.read_row(sample)))

    def evaluate(self, size: int) -> dict[str, float]:
        """Gather the rows of all processes and aggregate them.

        Args:
            size: Length of the dataset. A different number of samples gives a warning.

        Returns:
            The values by prefixed name, on every process.
        """
        gathered = all_gather_object(self.results)
        values: list[dict[str, float] | None] = [None]
        if is_main_process():
            rows = _each_sample_once(row for part in gathered for row in part)
            if len(rows) != size:
                print_log(
                    f"{type(self).__name__} saw {len(rows)} of the dataset's {size} samples",
                    logger="current",
                    level=logging.WARNING,
                )
            values = [self._with_prefix(self.compute_metrics(rows))]
        broadcast_object_list(values)
        self.results.clear()
        return values[0] or {}

    def _with_prefix(self, values: dict[str, float]) -> dict[str, float]:
        return {f"{self.prefix}/{name}": value for name, value in values.items()}


def _each_sample_once(rows: Iterable[tuple[int, RowT]]) -> list[RowT]:
    """Return one row for each sample index, in the order of the indices."""
    first: dict[int, RowT] = {}
    for index, row in rows:
        first.setdefault(index, row)
    return [first[index] for index in sorted(first)]
