"""Prepare a data set, one sub-command each.

python tools/prepare_data.py shapes --out data/shapes --scale tiny
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from vgtoolbox.datasets.shapes import SCALES, SPLITS, WorldSpec, prepare_world
from vgtoolbox.datasets.shapes.statistics import statistics_table


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    shapes = commands.add_parser("shapes", help="generate scenes and expressions about them")
    shapes.add_argument("--out", type=Path, required=True, help="folder to make")
    shapes.add_argument("--scale", choices=list(SCALES), default="tiny", help="how hard it is")
    shapes.add_argument("--seed", type=int, default=0, help="the same seed gives the same files")
    shapes.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    shapes.add_argument("--overwrite", action="store_true", help="replace another world at --out")
    for split in SPLITS:
        shapes.add_argument(f"--num-{split}", type=int, help=f"scenes of {split}")
    shapes.set_defaults(run=prepare_shapes)
    return parser.parse_args()


def prepare_shapes(args: argparse.Namespace) -> None:
    """Make a generated world, or find it complete, and print its statistics."""
    asked = {split: getattr(args, f"num_{split}") for split in SPLITS}
    defaults = dict(zip(SPLITS, SCALES[args.scale].num_scenes, strict=True))
    counts = {split: defaults[split] if n is None else n for split, n in asked.items()}
    spec = WorldSpec(
        scale=args.scale,
        seed=args.seed,
        num_scenes=(counts["train"], counts["val"], counts["test"]),
    )
    statistics, reused = prepare_world(
        args.out, spec, workers=args.workers, overwrite=args.overwrite
    )
    console = Console()
    console.print(statistics_table(statistics))
    console.print(f"{args.out}: {'found complete, reused' if reused else 'written'}")


def main() -> None:
    """Run the chosen sub-command."""
    args = parse_args()
    try:
        args.run(args)
    except (ValueError, OSError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")


if __name__ == "__main__":
    main()
