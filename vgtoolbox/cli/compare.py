"""Compare the metrics of several tests, with the difference from the first."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def read_report(path: Path) -> dict[str, Any]:
    """Read a `metrics.json`.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a metrics.json.
    """
    file = path / "metrics.json" if path.is_dir() else path
    if not file.is_file():
        raise FileNotFoundError(f"no {file}; vgtoolbox test --out D writes D/metrics.json")
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or not isinstance(content.get("splits"), dict):
        raise ValueError(f"{file} is not a metrics.json: it has no 'splits'")
    return content


def differing_protocols(reports: list[dict[str, Any]]) -> list[str]:
    """Return the metrics whose settings differ between reports."""
    settings: dict[str, list[Any]] = {}
    for report in reports:
        for metric, chosen in report.get("protocol", {}).items():
            settings.setdefault(metric, []).append(chosen)
    return [name for name, chosen in settings.items() if any(c != chosen[0] for c in chosen)]


def cell(value: float | None, first: float | None) -> str:
    """Format a value and its difference from the first report's."""
    if value is None:
        return "-"
    return f"{value:.2f}" if first is None else f"{value:.2f} ({value - first:+.2f})"


def run(arguments: argparse.Namespace) -> None:
    """Print the table of differences, and warnings about differing settings."""
    reports = [read_report(path) for path in arguments.reports]
    for metric in differing_protocols(reports):
        print(f"warning: {metric} was computed with different settings", file=sys.stderr)
    table = Table("split", "metric", *map(str, arguments.reports))
    rows = {(s, m): None for r in reports for s, values in r["splits"].items() for m in values}
    for split, metric in rows:
        if arguments.split in (None, split):
            values = [report["splits"].get(split, {}).get(metric) for report in reports]
            others = [cell(value, values[0]) for value in values[1:]]
            table.add_row(split, metric, cell(values[0], None), *others)
    if not table.rows:
        known = sorted({split for split, _ in rows})
        raise ValueError(f"no report has a split {arguments.split!r}; splits: {known}")
    Console().print(table)
