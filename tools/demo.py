"""Find in a photograph what expressions name: boxes, masks, scores, or that it is not there.

    python tools/demo.py --img F --expression "the red circle" ["another" ...]
                         [--config CONFIG] [--checkpoint CKPT] [--output_dir D] [--score_thr 0.7]
                         [--device auto] [--cfg-options k=v ...]

Writes a picture (PNG) and the result (JSON, one line of predictions.jsonl) for each expression.
Without --config and --checkpoint: the tiny InstanceVG that was trained on generated scenes.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.engine import parse_options
from vgtoolbox.inference import GroundingInferencer, GroundingResult, save_result

ROOT = Path(__file__).resolve().parents[1]
TINY_CHECKPOINT = ROOT / "pretrain_weights" / "InstanceVG-tiny-shapes.safetensors"


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Find in a photograph what expressions name.")
    parser.add_argument("--img", required=True, metavar="F", help="a photograph")
    parser.add_argument("--expression", required=True, nargs="+", action="extend", metavar="TEXT")
    parser.add_argument("--config", help="default: the one that the checkpoint carries")
    parser.add_argument("--checkpoint", metavar="CKPT", help="without one, weights are random")
    parser.add_argument("--output_dir", "--output-dir", default="demo_output", metavar="D")
    parser.add_argument(
        "--score_thr", "--score-thr", type=float, metavar="S", help="default: the model's own (0.7)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:<n> or mps")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="K=V")
    return parser.parse_args(words)


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


def main(words: list[str] | None = None) -> None:
    """Load a model, ask it, and write what it answers."""
    arguments = parse_arguments(words)
    console = Console()
    warnings.showwarning = lambda message, *_, **__: console.print(
        f"warning: {escape(str(message))}", style="yellow", soft_wrap=True
    )
    checkpoint = arguments.checkpoint
    if checkpoint is None and arguments.config is None:
        checkpoint = TINY_CHECKPOINT
    inferencer = GroundingInferencer(
        arguments.config,
        checkpoint,
        device=arguments.device,
        score_thr=arguments.score_thr,
        options=parse_options(arguments.cfg_options),
    )
    for result in inferencer(arguments.img, arguments.expression):
        print_result(console, result)
        for path in save_result(result, arguments.output_dir):
            console.print(str(path), soft_wrap=True)


if __name__ == "__main__":
    with exit_on_user_error(OSError, ValueError):
        main()
