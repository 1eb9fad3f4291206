"""Arguments of data."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from vgtoolbox.cli.arguments import positive

BENCHMARK_TITLES: Mapping[str, str] = MappingProxyType(
    {
        "refcoco": "RefCOCO",
        "refcoco+": "RefCOCO+",
        "refcocog": "RefCOCOg",
        "refclef": "RefCLEF (ReferIt)",
        "grefcoco": "gRefCOCO",
        "refzom": "Ref-ZOM",
        "rrefcoco": "R-RefCOCO, R-RefCOCO+, R-RefCOCOg",
        "fprefcoco": "FP-RefCOCO, FP-RefCOCO+, FP-RefCOCOg",
        "reasonseg": "ReasonSeg",
        "instancevg": "InstanceVG's released annotations",
        "plvl": "EEVG's and PLVL's lists of the RefCOCO family",
        "flickr30k": "Flickr30k Entities, as EEVG's lists",
        "vg": "Visual Genome in EEVG's mixture for pretraining",
        "segllm": "SegLLM: MR-RefCOCO, MR-PACO",
    }
)
"""Title of each benchmark, as in `preparation.BENCHMARKS`, which takes seconds to import."""
SCALES = ("tiny", "small", "large")
SPLITS = ("train", "val", "test")
SHAPES_FORMATS = (
    "refcoco+",
    "refcocog",
    "refclef",
    "grefcoco",
    "refzom",
    "rrefcoco",
    "fprefcoco",
    "reasonseg",
    "instancevg",
    "plvl",
    "segllm",
    "own",
)


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands of data."""
    subparsers = parser.add_subparsers(dest="data_command", required=True, metavar="ACTION")
    _add_shapes(subparsers.add_parser("shapes", help="generate scenes with expressions"))
    for name, title in BENCHMARK_TITLES.items():
        command = subparsers.add_parser(name, help=f"list the files of {title}; set them up")
        _add_root(command)
        command.add_argument("--source", type=Path, help="folder with archives, folders and files")
    check = subparsers.add_parser("check", help="check annotations and images of benchmarks")
    check.add_argument("names", nargs="+", choices=list(BENCHMARK_TITLES), metavar="benchmark")
    _add_root(check)
    check.add_argument("--fix", type=Path, metavar="OUT", help="data root for a repaired copy")
    own = subparsers.add_parser("own", help="check your own file: COCO JSON or JSON lines")
    own.add_argument("file", type=Path)
    own.add_argument("--folder", type=Path, required=True, help="folder of the images")
    for command in (check, own):
        command.add_argument(
            "--images",
            choices=("decode", "exist", "skip"),
            default="decode",
            help="check of the images; default: %(default)s",
        )
        command.add_argument("--all", action="store_true", help="print every problem")
    leaks = subparsers.add_parser("leaks", help="find test images in training data")
    leaks.add_argument("training", nargs="+", metavar="benchmark[:split]")
    leaks.add_argument("--tests", nargs="+", default=(), metavar="benchmark[:split]")
    _add_root(leaks)
    leaks.add_argument("--out", type=Path, help="JSON file for the list of images")


def _add_root(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root", type=Path, default=Path("data"), help="data root; default: %(default)s"
    )


def _add_shapes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="output folder")
    parser.add_argument("--scale", choices=SCALES, default="tiny", help="difficulty of the scenes")
    parser.add_argument(
        "--seed", type=int, default=0, help="random seed; equal seeds give equal files"
    )
    parser.add_argument(
        "--workers", type=positive, default=os.cpu_count() or 1, help="number of processes"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace another world at --out")
    for split in SPLITS:
        parser.add_argument(f"--num-{split}", type=int, help=f"number of scenes in {split}")
    parser.add_argument(
        "--formats",
        default="",
        help=f"further annotation formats, comma-separated: all, {', '.join(SHAPES_FORMATS)}",
    )


def data_interrupted(arguments: argparse.Namespace) -> str:
    """Return what an interrupted preparation kept."""
    return "existing files are unchanged and nothing is half written; run the same command again"
