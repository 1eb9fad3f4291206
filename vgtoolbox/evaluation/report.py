"""Write `metrics.json` and format the table that a test run prints."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from io import StringIO
from typing import Any, TypedDict

from rich.console import Console
from rich.table import Table

from vgtoolbox.utils.atomic_file import atomic_file

SplitValues = Mapping[str, Mapping[str, float]]


class MetricReport(TypedDict):
    """Content of `metrics.json`; percentages are in [0, 100]."""

    config: str
    checkpoint: str
    protocol: dict[str, Any]
    """Options behind the values, by the prefix of the metric."""
    splits: dict[str, dict[str, float]]
    samples: int
    seconds: float


def write_metric_report(
    path: str | os.PathLike[str],
    *,
    config: str,
    checkpoint: str,
    protocol: Mapping[str, Any],
    splits: SplitValues,
    samples: int,
    seconds: float,
) -> MetricReport:
    """Write `metrics.json` atomically and return its content.

    Args:
        path: Path of the file.
        config: Path of the config.
        checkpoint: Path of the tested weights.
        protocol: `settings` of the metrics by their prefix.
        splits: Values by split and name.
        samples: Number of evaluated samples.
        seconds: Duration.

    Raises:
        ValueError: A value is not finite, or cannot be represented in JSON.
    """
    report = MetricReport(
        config=config,
        checkpoint=checkpoint,
        protocol=dict(protocol),
        splits={
            split: {k: float(v) for k, v in values.items()} for split, values in splits.items()
        },
        samples=samples,
        seconds=round(seconds, 3),
    )
    with atomic_file(path) as file:
        file.write((json.dumps(report, indent=2, allow_nan=False) + "\n").encode())
    return report


def format_metric_table(
    splits: SplitValues,
    *,
    title: str | None = None,
    protocol: Mapping[str, Mapping[str, Any]] | None = None,
    width: int = 100,
) -> str:
    """Return a text table with one row per value and one column per split.

    Args:
        splits: Values in percent by split and name.
        title: Line above the table. If `None`, there is none.
        protocol: `settings` of the metrics by their prefix, printed below the table. If `None`,
            nothing is printed.
        width: Columns of the terminal.
    """
    table = Table()
    table.add_column("metric (%)", no_wrap=True)
    for split in splits:
        table.add_column(split, justify="right")
    names = dict.fromkeys(name for values in splits.values() for name in values)
    for name in names:
        table.add_row(name, *(_cell(values.get(name)) for values in splits.values()))
    console = Console(file=StringIO(), width=width)
    with console.capture() as captured:
        if title:
            console.print(title, markup=False, highlight=False)
        console.print(table)
        for prefix, settings in (protocol or {}).items():
            options = ", ".join(f"{name}={value}" for name, value in settings.items())
            console.print(f"{prefix}: {options}", markup=False, highlight=False)
    return captured.get()


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
