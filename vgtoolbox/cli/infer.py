"""Ground expressions in many images."""

from __future__ import annotations

import argparse
import sys

from rich.console import Console
from rich.progress import track

from vgtoolbox.cli.options.inference import chosen_model
from vgtoolbox.engine import parse_options
from vgtoolbox.evaluation import read_predictions
from vgtoolbox.inference import GroundingInferencer, GroundingResult, save_formats
from vgtoolbox.inference.inputs.sources import describe_skipped


def run(arguments: argparse.Namespace) -> int:
    """Write predictions and return 1 if some images could not be read."""
    console = Console(stderr=True)
    inferencer = GroundingInferencer(
        chosen_model(arguments),
        arguments.checkpoint,
        device=arguments.device,
        dtype=arguments.dtype,
        batch_size=arguments.batch_size,
        score_thr=arguments.score_thr,
        options=parse_options(arguments.cfg_options),
    )
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
    for result in track(stream, "grounding", console=console):
        count += 1
        if arguments.pictures:
            result.save(arguments.out / f"{result.id}.png")
    if arguments.formats:
        records = read_predictions(log)
        results = [GroundingResult.from_dict(r, score_thr=inferencer.score_thr) for r in records]
        save_formats(results, arguments.out, arguments.formats)
    print(f"{log}: {count} new results")
    if skipped := describe_skipped(arguments.images):
        print(skipped)
    for failure in dict.fromkeys(failures):
        print(f"not processed: {failure}", file=sys.stderr)
    return 1 if failures else 0
