"""Show an error breakdown as a table and as a plot."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from vgtoolbox.evaluation.error_analysis.breakdown import ErrorBreakdown
from vgtoolbox.evaluation.error_analysis.error_types import ErrorType
from vgtoolbox.evaluation.functional import percent
from vgtoolbox.utils.atomic_file import atomic_file

# Okabe and Ito's palette, which color-blind readers can distinguish.
_COLORS = {
    ErrorType.CORRECT: "#009E73",
    ErrorType.LOOSE: "#F0E442",
    ErrorType.WRONG: "#D55E00",
    ErrorType.MISSED: "#56B4E9",
    ErrorType.EXTRA: "#CC79A7",
    ErrorType.REJECTED: "#0072B2",
    ErrorType.HALLUCINATED: "#E69F00",
}


def error_shares(counts: Mapping[ErrorType, int]) -> dict[ErrorType, float]:
    """Return the share of each error type in percent."""
    total = sum(counts.values())
    return {error_type: percent(counts.get(error_type, 0), total) for error_type in ErrorType}


def error_table(breakdown: ErrorBreakdown, *, title: str | None = None) -> Table:
    """Return a table with one row per value of a property and one column per error type."""
    table = Table(title=title, title_justify="left")
    table.add_column("% of samples", no_wrap=True)
    table.add_column("samples", justify="right", no_wrap=True)
    for error_type in ErrorType:
        # Two lines: "hallucinated" over "target".
        header = error_type.value.replace(" ", "\n")
        table.add_column(header, justify="right", min_width=len(header.split("\n")[0]))
    for name, values in breakdown.items():
        if name != "all":
            table.add_section()
            table.add_row(f"[bold]{name}[/bold]")
        for value, counts in values.items():
            shares = (f"{share:.1f}" for share in error_shares(counts).values())
            table.add_row(f"  {value}", f"{counts.total():,}", *shares)
    return table


def plot_errors(
    breakdown: ErrorBreakdown, path: str | os.PathLike[str], *, title: str | None = None
) -> None:
    """Plot one axis per property with one stacked bar per value, as a PNG or PDF.

    Args:
        breakdown: Counts from `error_breakdown`.
        path: Path of the file; its suffix selects the format.
        title: Title of the legend. If `None`, there is no title.
    """
    # Without pyplot, which needs a display and keeps figures alive.
    from matplotlib.figure import Figure

    heights = [len(values) + 1 for values in breakdown.values()]
    figure = Figure(figsize=(9, 0.34 * sum(heights) + 1.2), layout="constrained")
    axes = figure.subplots(len(breakdown), 1, sharex=True, height_ratios=heights, squeeze=False)
    for axis, (name, values) in zip(axes[:, 0], breakdown.items(), strict=True):
        _draw_bars(axis, values)
        axis.set_title(name, loc="left", fontsize=10)
    axes[-1, 0].set_xlabel("% of samples")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, title=title)
    with atomic_file(path) as file:
        figure.savefig(file, format=Path(path).suffix.lstrip(".") or "png", dpi=150)


def _draw_bars(axis: Any, values: Mapping[str, Counter[ErrorType]]) -> None:
    names = [f"{value}  ({counts.total():,})" for value, counts in values.items()]
    starts = [0.0] * len(names)
    for error_type in ErrorType:
        shares = [error_shares(counts)[error_type] for counts in values.values()]
        axis.barh(names, shares, left=starts, color=_COLORS[error_type], label=error_type.value)
        starts = [start + share for start, share in zip(starts, shares, strict=True)]
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.spines[["top", "right"]].set_visible(False)
