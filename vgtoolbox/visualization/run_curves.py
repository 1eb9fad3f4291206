"""Read, summarize and plot the curves that the Runner logged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from vgtoolbox.visualization.palette import INSTANCE_COLORS

_LOG = "vis_data/scalars.json"
_POSITIONS = frozenset({"epoch", "iter", "step"})
_LOWER_IS_BETTER = ("loss", "time", "memory", "grad_norm", "lr")


@dataclass
class Curve:
    """Values of one logged quantity over the steps of a run.

    Attributes:
        steps: Numbers of the steps, ascending: iterations in training, epochs in validation.
        values: One value per step.
    """

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)

    def best(self, *, smallest: bool) -> tuple[int, float]:
        """Return step and value of the best point; the first one if several are equal.

        Args:
            smallest: Whether the smallest value is the best, instead of the largest.
        """
        choose = min if smallest else max
        return choose(
            zip(self.steps, self.values, strict=True),
            key=lambda point: (point[1], point[0] if smallest else -point[0]),
        )


def read_curves(work_dir: Path) -> dict[str, Curve]:
    """Read all logged quantities of a run.

    If the run was resumed, the steps of the resumed part replace the earlier ones.

    Args:
        work_dir: Work dir of the run, or the subfolder of one of its starts.

    Raises:
        FileNotFoundError: There is no log.
        ValueError: A line of a log is invalid. The last line of each may be incomplete, because
            a run can be killed while it writes.
    """
    logs = sorted(work_dir.glob(f"*/{_LOG}")) or sorted(work_dir.glob(_LOG))
    if not logs:
        raise FileNotFoundError(
            f"{work_dir} must be the work dir of a training run, got a folder without "
            f"<start>/{_LOG}"
        )
    points: dict[str, dict[int, float]] = {}
    for log in logs:
        first_steps: dict[str, int] = {}
        for row in _rows(log):
            step = int(row["step"])
            for name, value in row.items():
                if name in _POSITIONS or not isinstance(value, int | float):
                    continue
                known = points.setdefault(name, {})
                if first_steps.setdefault(name, step) == step:
                    points[name] = {s: v for s, v in known.items() if s < step}
                points[name][step] = float(value)
    return {
        name: Curve(sorted(at), [at[step] for step in sorted(at)]) for name, at in points.items()
    }


def choose_names(curves: Mapping[str, Curve], patterns: Sequence[str]) -> list[str]:
    """Return the names that match patterns such as `loss*`, in the order of the patterns.

    Raises:
        ValueError: A pattern matches no name.
    """
    chosen: list[str] = []
    for pattern in patterns:
        found = [name for name in curves if fnmatch(name, pattern)]
        if not found:
            raise ValueError(f"a pattern must match one of {', '.join(curves)}, got {pattern!r}")
        chosen += [name for name in found if name not in chosen]
    return chosen


def lower_is_better(name: str) -> bool:
    """Return whether a quantity is a loss or a cost instead of a metric, judged by its name."""
    return any(word in name for word in _LOWER_IS_BETTER)


def draw_curves(runs: Mapping[str, Mapping[str, Curve]], names: Sequence[str], path: Path) -> None:
    """Draw one plot per name, with a line for each run, and save it as PNG, SVG or PDF.

    Args:
        runs: Curves by name, by the name of the run.
        names: Names of the curves to plot. A run without a curve has no line in its plot.
        path: Path of the file. Missing parent folders are created.
    """
    from matplotlib.figure import Figure

    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.5 * columns, 3.2 * rows), layout="constrained")
    for plot, name in zip(figure.subplots(rows, columns, squeeze=False).flat, names, strict=False):
        for index, (run, curves) in enumerate(runs.items()):
            if name in curves:
                color = [c / 255 for c in INSTANCE_COLORS[index % len(INSTANCE_COLORS)]]
                curve = curves[name]
                marker = "o" if len(curve.steps) < 20 else ""
                plot.plot(curve.steps, curve.values, color=color, label=run, marker=marker)
        plot.set_title(name)
        plot.grid(alpha=0.3)
    for plot in figure.axes[len(names) :]:
        plot.remove()
    if len(runs) > 1:
        figure.axes[0].legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _rows(log: Path) -> list[dict[str, float]]:
    """Parse the lines of a log, except an incomplete last line."""
    lines = log.read_text(encoding="utf-8").splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                break
            raise ValueError(f"{log}, line {number} is not JSON: {error}") from error
        if isinstance(row, dict) and "step" in row:
            rows.append(row)
    return rows
