"""Print tables and draw curves of one or several training runs."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

from vgtoolbox.visualization.run_curves import (
    choose_names,
    draw_curves,
    lower_is_better,
    read_curves,
)


def run(arguments: argparse.Namespace) -> None:
    """Print the last and best values, and draw the curves if `--out` is given."""
    runs = {str(folder): read_curves(folder) for folder in arguments.work_dirs}
    everything = {name: curve for curves in runs.values() for name, curve in curves.items()}
    names = [name for name in everything if name == "loss" or "/" in name]
    if arguments.keys:
        names = choose_names(everything, arguments.keys)
    table = Table("run", "number", "last", "best", "at step")
    for run, curves in runs.items():
        for name in names:
            if name in curves:
                curve = curves[name]
                step, value = curve.best(smallest=lower_is_better(name))
                table.add_row(run, name, f"{curve.values[-1]:.4g}", f"{value:.4g}", str(step))
    Console().print(table)
    if arguments.out:
        draw_curves(runs, names, arguments.out)
        print(arguments.out)
