"""Tables and curves of one training run or several.

    python tools/analysis/analyze_logs.py WORK_DIR [WORK_DIR ...] [--keys loss "gres/*"]
                                          [--out curves.png]

Without --keys: the loss, and all that validation measured. The table shows the last value and the
best, with the step where it stood.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console
from rich.table import Table

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.visualization.run_curves import (
    choose_names,
    draw_curves,
    lower_is_better,
    read_curves,
)


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Tables and curves of training runs.")
    parser.add_argument("work_dirs", nargs="+", type=Path, metavar="WORK_DIR")
    parser.add_argument("--keys", nargs="+", metavar="K", help="names, * stands for anything")
    parser.add_argument("--out", type=Path, metavar="F", help="curves: .png, .svg or .pdf")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Print, and draw."""
    arguments = parse_arguments(words)
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


if __name__ == "__main__":
    with exit_on_user_error(OSError, ValueError):
        main()
