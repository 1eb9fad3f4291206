"""Ground expressions in one image."""

from __future__ import annotations

import argparse
import warnings

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vgtoolbox.cli.options.inference import chosen_model
from vgtoolbox.engine import parse_options
from vgtoolbox.inference import GroundingInferencer, GroundingResult, save_result


def print_result(console: Console, result: GroundingResult) -> None:
    """Print the targets of one result as a table."""
    expression = result.expression if len(result.expression) < 80 else result.expression[:79] + "…"
    table = Table(title=f"“{escape(expression)}”", title_justify="left", title_style="bold")
    for column in ("target", "score", "x1", "y1", "x2", "y2"):
        table.add_column(column, justify="right")
    for number, target in enumerate(result, start=1):
        corners = (f"{value:.1f}" for value in target.box_xyxy)
        table.add_row(str(number), f"{target.score:.2f}", *corners)
    console.print(
        table if result.targets else table.title, style=None if result.targets else "bold"
    )
    found = "no target" if result.no_target else f"{len(result)} found"
    console.print(f"{found}; existence {result.existence:.2f}")


def run(arguments: argparse.Namespace) -> None:
    """Ground expressions in an image, print the targets and save the pictures."""
    console = Console()
    warnings.showwarning = lambda message, *_, **__: console.print(
        f"warning: {escape(str(message))}", style="yellow", soft_wrap=True
    )
    inferencer = GroundingInferencer(
        chosen_model(arguments),
        arguments.checkpoint,
        device=arguments.device,
        score_thr=arguments.score_thr,
        options=parse_options(arguments.cfg_options),
    )
    for result in inferencer(arguments.img, arguments.expression):
        print_result(console, result)
        for path in save_result(result, arguments.output_dir):
            console.print(str(path), soft_wrap=True)
