"""Ground expressions in many images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track

from vgtoolbox.cli.options.inference import chosen_model
from vgtoolbox.engine import parse_options
from vgtoolbox.evaluation import iter_predictions
from vgtoolbox.inference import GroundingInferencer, GroundingResult, save_formats
from vgtoolbox.inference.inputs.sources import describe_skipped
from vgtoolbox.utils.text import escape_invisible


def draw_missing(log: Path, *, score_thr: float) -> list[str]:
    """Draw the results that an earlier run wrote but did not draw; return the failures."""
    failures = []
    for record in iter_predictions(log):
        picture = log.with_name(f"{record['id']}.png")
        if picture.is_file():
            continue
        try:
            GroundingResult.from_dict(record, score_thr=score_thr).save(picture)
        except (OSError, ValueError) as error:
            failures.append(f"{picture.name} is not drawn: {error}")
    return failures


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
    if arguments.pictures:
        failures += draw_missing(log, score_thr=inferencer.score_thr)
    if arguments.formats:
        results = [
            GroundingResult.from_dict(record, score_thr=inferencer.score_thr)
            for record in iter_predictions(log)
        ]
        save_formats(results, arguments.out, arguments.formats)
    print(f"{log}: {count} new results")
    if skipped := describe_skipped(arguments.images):
        print(escape_invisible(skipped))
    for failure in dict.fromkeys(failures):
        print(f"not processed: {escape_invisible(failure)}", file=sys.stderr)
    return 1 if failures else 0
