"""Prepare a data set, one sub-command each.

python tools/prepare_data.py refcoco --root data [--source ~/downloads]
python tools/prepare_data.py check refcoco grefcoco --root data [--fix data-mended]
python tools/prepare_data.py own my.jsonl --folder my_images
python tools/prepare_data.py leaks refcoco refcocog:umd/train --root data
python tools/prepare_data.py shapes --out data/shapes --scale tiny [--formats all]
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from vgtoolbox.cli import data_commands as commands
from vgtoolbox.preparation import BENCHMARKS
from vgtoolbox.shapes import SCALES, SPLITS, WorldSpec
from vgtoolbox.shapes.formats import FORMATS, parse_formats


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    sub = parser.add_subparsers(dest="command", required=True, metavar="command")
    _add_shapes(sub.add_parser("shapes", help="generate scenes and expressions about them"))
    for name, benchmark in BENCHMARKS.items():
        command = sub.add_parser(name, help=f"say what {benchmark.title} needs; put it in place")
        command.add_argument("--root", type=Path, default=Path("data"), help="data root")
        command.add_argument("--source", type=Path, help="folder with archives, folders, files")
        command.set_defaults(run=_place)
    check = sub.add_parser("check", help="check annotations and images; mend them into a copy")
    check.add_argument("names", nargs="+", choices=list(BENCHMARKS), metavar="benchmark")
    check.add_argument("--root", type=Path, default=Path("data"), help="data root")
    check.add_argument("--fix", type=Path, metavar="OUT", help="data root to write, mended")
    check.set_defaults(run=_check)
    own = sub.add_parser("own", help="check a file of your own: COCO JSON or JSON lines")
    own.add_argument("file", type=Path)
    own.add_argument("--folder", type=Path, required=True, help="of the images")
    own.set_defaults(run=_check_own)
    for command in (check, own):
        command.add_argument("--images", choices=("decode", "exist", "skip"), default="decode")
        command.add_argument("--all", action="store_true", help="print every fault")
    leaks = sub.add_parser("leaks", help="find images of tests in training data")
    leaks.add_argument("training", nargs="+", metavar="benchmark[:split]")
    leaks.add_argument("--tests", nargs="+", default=(), metavar="benchmark[:split]")
    leaks.add_argument("--root", type=Path, default=Path("data"), help="data root")
    leaks.add_argument("--out", type=Path, help="JSON file to list the images in")
    leaks.set_defaults(run=_leaks)
    return parser.parse_args()


def _add_shapes(shapes: argparse.ArgumentParser) -> None:
    shapes.add_argument("--out", type=Path, required=True, help="folder to make")
    shapes.add_argument("--scale", choices=list(SCALES), default="tiny", help="how hard it is")
    shapes.add_argument("--seed", type=int, default=0, help="the same seed gives the same files")
    shapes.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    shapes.add_argument("--overwrite", action="store_true", help="replace another world at --out")
    for split in SPLITS:
        shapes.add_argument(f"--num-{split}", type=int, help=f"scenes of {split}")
    formats = f"all, or some of {', '.join(FORMATS)}, with commas between them"
    shapes.add_argument("--formats", default="", help=f"further formats: {formats}")
    shapes.set_defaults(run=_generate)


def _generate(args: argparse.Namespace, console: Console) -> bool:
    asked = {split: getattr(args, f"num_{split}") for split in SPLITS}
    defaults = dict(zip(SPLITS, SCALES[args.scale].num_scenes, strict=True))
    counts = {split: defaults[split] if n is None else n for split, n in asked.items()}
    num_scenes = (counts["train"], counts["val"], counts["test"])
    spec = WorldSpec(scale=args.scale, seed=args.seed, num_scenes=num_scenes)
    formats = parse_formats(args.formats)
    return commands.generate(
        console, args.out, spec, formats, workers=args.workers, overwrite=args.overwrite
    )


def _place(args: argparse.Namespace, console: Console) -> bool:
    return commands.place(console, args.command, args.root, args.source)


def _check(args: argparse.Namespace, console: Console) -> bool:
    return commands.check(
        console, args.names, args.root, images=args.images, show_all=args.all, fix=args.fix
    )


def _check_own(args: argparse.Namespace, console: Console) -> bool:
    return commands.check_own(
        console, args.file, args.folder, images=args.images, show_all=args.all
    )


def _leaks(args: argparse.Namespace, console: Console) -> bool:
    return commands.leaks(console, args.root, args.training, args.tests, out=args.out)


def main() -> None:
    """Run the chosen sub-command; exit with 1 where something is missing, wrong or leaks."""
    args = parse_args()
    try:
        is_fine = args.run(args, Console())
    except (ValueError, OSError) as error:
        sys.exit(f"{Path(__file__).name}: {error}")
    sys.exit(0 if is_fine else 1)


if __name__ == "__main__":
    main()
