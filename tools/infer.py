"""Ask every expression of every image of a folder, and go on where a run was cut off.

    python tools/infer.py --images F_OR_FOLDER ... --expressions "the red circle" ["another" ...]
                          [--model NAME | --config CONFIG --checkpoint CKPT] [--out D]
                          [--formats coco labelstudio] [--pictures] [--batch-size 8]
                          [--score-thr S] [--topk K] [--tasks box] [--dtype bfloat16]
                          [--device auto] [--cfg-options k=v ...]

Writes D/predictions.jsonl line by line; run again, it does what is not in there yet. Images that
can not be read are named at the end, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.engine import parse_options
from vgtoolbox.evaluation import read_predictions
from vgtoolbox.inference import GroundingInferencer, GroundingResult, save_formats
from vgtoolbox.inference.results.saving import FORMATS

TINY_MODEL = "InstanceVG-tiny-shapes"


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Ask expressions of many images.")
    parser.add_argument(
        "--images",
        required=True,
        nargs="+",
        metavar="F",
        help="files, folders, patterns, URLs",
    )
    parser.add_argument("--expressions", required=True, nargs="+", metavar="TEXT")
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", metavar="NAME", help=f"of the zoo; default: {TINY_MODEL}")
    model.add_argument("--config", help="default: the one that the checkpoint carries")
    parser.add_argument("--checkpoint", metavar="CKPT")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/infer"), metavar="D")
    parser.add_argument(
        "--formats", nargs="+", default=[], choices=list(FORMATS), help="written besides"
    )
    parser.add_argument("--pictures", action="store_true", help="draw each result as a PNG")
    parser.add_argument("--batch-size", type=int, default=1, metavar="B")
    parser.add_argument("--score-thr", type=float, metavar="S", help="default: the model's own")
    parser.add_argument("--topk", type=int, metavar="K", help="candidates a result, the best ones")
    parser.add_argument("--tasks", default="auto", choices=["auto", "box", "mask", "both"])
    parser.add_argument(
        "--dtype", default="auto", choices=["auto", "float32", "bfloat16", "float16"]
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:<n> or mps")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="K=V")
    return parser.parse_args(words)


def load(arguments: argparse.Namespace) -> GroundingInferencer:
    """Load the model that the arguments name."""
    config = arguments.model or arguments.config
    if config is None and arguments.checkpoint is None:
        config = TINY_MODEL
    return GroundingInferencer(
        config,
        arguments.checkpoint,
        device=arguments.device,
        dtype=arguments.dtype,
        batch_size=arguments.batch_size,
        score_thr=arguments.score_thr,
        options=parse_options(arguments.cfg_options),
    )


def main(words: list[str] | None = None) -> int:
    """Ask, write, and return the exit code."""
    arguments = parse_arguments(words)
    console = Console(stderr=True)
    inferencer = load(arguments)
    log = arguments.out / "predictions.jsonl"
    failures: list[str] = []
    stream = inferencer.stream(
        arguments.images,
        [arguments.expressions],
        tasks=arguments.tasks,
        topk=arguments.topk,
        out_file=log,
        on_error=lambda image, _, error: failures.append(str(error) or image),
    )
    count = 0
    for result in track(stream, "asking", console=console):
        count += 1
        if arguments.pictures:
            result.save(arguments.out / f"{result.id}.png")
    if arguments.formats:
        records = read_predictions(log)
        results = [GroundingResult.from_dict(r, score_thr=inferencer.score_thr) for r in records]
        save_formats(results, arguments.out, arguments.formats)
    print(f"{log}: {count} answered now")
    for failure in dict.fromkeys(failures):
        print(f"not answered: {failure}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    with exit_on_user_error(OSError, ValueError):
        sys.exit(main())
