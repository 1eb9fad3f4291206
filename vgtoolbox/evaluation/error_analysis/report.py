"""The verdicts of an error analysis as tables and as a picture."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from vgtoolbox.evaluation.error_analysis.error_types import ErrorType
from vgtoolbox.evaluation.error_analysis.sample_results import Breakdown
from vgtoolbox.evaluation.functional import percent

# Okabe and Ito's colours, which colour-blind readers tell apart.
_COLORS = {
    ErrorType.CORRECT: "#009E73",
    ErrorType.LOOSE: "#F0E442",
    ErrorType.WRONG: "#D55E00",
    ErrorType.MISSED: "#56B4E9",
    ErrorType.EXTRA: "#CC79A7",
    ErrorType.REJECTED: "#0072B2",
    ErrorType.HALLUCINATED: "#E69F00",
}


def verdict_shares(counts: Mapping[ErrorType, int]) -> dict[ErrorType, float]:
    """Return the share of each verdict in percent."""
    total = sum(counts.values())
    return {verdict: percent(counts.get(verdict, 0), total) for verdict in ErrorType}


def error_table(breakdown: Breakdown, *, title: str | None = None) -> Table:
    """Return a table with a row for each kind of sample and a column for each verdict."""
    table = Table(title=title, title_justify="left")
    table.add_column("% of samples", no_wrap=True)
    table.add_column("samples", justify="right", no_wrap=True)
    for verdict in ErrorType:
        # Two lines: "hallucinated" over "target".
        header = verdict.value.replace(" ", "\n")
        table.add_column(header, justify="right", min_width=len(header.split("\n")[0]))
    for aspect, kinds in breakdown.items():
        if aspect != "all":
            table.add_section()
            table.add_row(f"[bold]{aspect}[/bold]")
        for kind, counts in kinds.items():
            shares = (f"{share:.1f}" for share in verdict_shares(counts).values())
            table.add_row(f"  {kind}", f"{counts.total():,}", *shares)
    return table


def plot_errors(
    breakdown: Breakdown, path: str | os.PathLike[str], *, title: str | None = None
) -> None:
    """Draw a stacked bar for each kind of sample, an axis for each aspect, into a PNG or PDF."""
    # Without pyplot: no state that outlives the figure, and no display.
    from matplotlib.figure import Figure

    heights = [len(kinds) + 1 for kinds in breakdown.values()]
    figure = Figure(figsize=(9, 0.34 * sum(heights) + 1.2), layout="constrained")
    axes = figure.subplots(len(breakdown), 1, sharex=True, height_ratios=heights, squeeze=False)
    for axis, (aspect, kinds) in zip(axes[:, 0], breakdown.items(), strict=True):
        _draw_bars(axis, kinds)
        axis.set_title(aspect, loc="left", fontsize=10)
    axes[-1, 0].set_xlabel("% of samples")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False, title=title)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def _draw_bars(axis: Any, kinds: Mapping[str, Counter[ErrorType]]) -> None:
    names = [f"{kind}  ({counts.total():,})" for kind, counts in kinds.items()]
    left = [0.0] * len(names)
    for verdict in ErrorType:
        shares = [verdict_shares(counts)[verdict] for counts in kinds.values()]
        axis.barh(names, shares, left=left, color=_COLORS[verdict], label=verdict.value)
        left = [before + share for before, share in zip(left, shares, strict=True)]
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.spines[["top", "right"]].set_visible(False)
