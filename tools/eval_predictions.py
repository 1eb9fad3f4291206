"""Score predictions that lie in a file, without a model and without reading an image.

    python tools/eval_predictions.py PREDICTIONS --config CONFIG [--split S]
                                     [--metric type=GRESMetric protocol=gsva] [--metric ...]
                                     [--out F.json] [--rows F.parquet|F.csv]
    python tools/eval_predictions.py PREDICTIONS --dataset type=GRefCOCODataset data_root=data ...
                                     --metric type=GRECMetric

PREDICTIONS is predictions.jsonl, a list of COCO results, or the Google Refexp toolbox's file. The
values are those that tools/test.py gives for the same predictions.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.cli.scoring import ScoringJob, add_scoring_arguments, scoring_job
from vgtoolbox.engine import parse_options
from vgtoolbox.evaluation import (
    ErrorCriteria,
    check_table_path,
    format_metric_table,
    sample_result,
    score_samples,
    write_metric_report,
    write_sample_table,
)
from vgtoolbox.registry import METRICS


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Score predictions that lie in a file.")
    add_scoring_arguments(parser)
    parser.add_argument(
        "--metric",
        nargs="+",
        action="append",
        metavar="K=V",
        help="in place of the split's metrics: type=GRECMetric match=iou; can be repeated",
    )
    parser.add_argument("--out", type=Path, metavar="F.json", help="write a metrics.json")
    parser.add_argument("--rows", type=Path, metavar="F", help="per-sample rows, .parquet or .csv")
    return parser.parse_args(words)


def build_metrics(job: ScoringJob, chosen: list[list[str]] | None) -> list[Any]:
    """Build the metrics of the command line, or else those of the split."""
    configs = [parse_options(options) for options in chosen] if chosen else job.evaluator
    if not configs:
        raise ValueError("there is no metric: name one by --metric type=GRESMetric")
    return [METRICS.build(config) for config in configs]


def noted(
    samples: Iterable[Any], rows: list[dict[str, Any]], criteria: ErrorCriteria
) -> Iterator[Any]:
    """Pass samples on and append their rows to `rows`."""
    for sample in samples:
        rows.append(sample_result(sample, criteria).as_row())
        yield sample


def main(words: list[str] | None = None) -> None:
    """Score."""
    arguments = parse_arguments(words)
    started = time.perf_counter()
    if arguments.rows:
        check_table_path(arguments.rows)
    job = scoring_job(arguments)
    metrics = build_metrics(job, arguments.metric)
    rows: list[dict[str, Any]] = []
    samples = job.samples()
    if arguments.rows:
        samples = noted(samples, rows, ErrorCriteria(score_thr=job.score_thr))
    splits = {job.name: score_samples(samples, metrics, len(job.dataset))}
    protocol = {metric.prefix: metric.settings for metric in metrics}
    print(format_metric_table(splits, title=str(arguments.predictions), protocol=protocol))
    if arguments.rows:
        write_sample_table(arguments.rows, rows)
    if arguments.out:
        write_metric_report(
            arguments.out,
            config=arguments.config or " ".join(arguments.dataset),
            checkpoint=str(arguments.predictions),
            protocol=protocol,
            splits=splits,
            samples=len(job.dataset),
            seconds=time.perf_counter() - started,
        )


if __name__ == "__main__":
    with exit_on_user_error(OSError, ValueError, KeyError, ImportError):
        main()
