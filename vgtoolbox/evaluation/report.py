"""`metrics.json` and the table that a test run prints."""

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
    """The content of `metrics.json`; percentages are 0..100."""

    config: str
    checkpoint: str
    protocol: dict[str, Any]
    """For each metric's prefix, the choices behind its values."""
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
    """Write `metrics.json`, whole or not at all, and return its content.

    Args:
        path: The file.
        config: The config that ran.
        checkpoint: The weights that were tested.
        protocol: For each metric's prefix its `settings`.
        splits: For each split the values by name.
        samples: How many samples were evaluated.
        seconds: How long it took.

    Raises:
        ValueError: A value is not finite, or can't stand in JSON.
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
    """Lay values out as text, a row a metric and a column a split.

    Args:
        splits: For each split the values by name, in percent.
        title: What stands above the table.
        protocol: For each metric's prefix its `settings`, which stand below the table.
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
            choices = ", ".join(f"{name}={value}" for name, value in settings.items())
            console.print(f"{prefix}: {choices}", markup=False, highlight=False)
    return captured.get()


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
