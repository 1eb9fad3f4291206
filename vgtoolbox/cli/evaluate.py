"""Score a prediction file, without a model and without reading images."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator
from typing import Any

from vgtoolbox.cli.scoring import ScoringJob, scoring_job
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


def build_metrics(job: ScoringJob, chosen: list[list[str]] | None) -> list[Any]:
    """Build the metrics of the command line, or those of the split if there are none."""
    configs = [parse_options(options) for options in chosen] if chosen else job.evaluator
    if not configs:
        raise ValueError("no metric to compute: pass one, e.g. --metric type=GRESMetric")
    return [METRICS.build(config) for config in configs]


def collect_rows(
    samples: Iterable[Any], rows: list[dict[str, Any]], criteria: ErrorCriteria
) -> Iterator[Any]:
    """Yield the samples and append their rows to `rows`."""
    for sample in samples:
        rows.append(sample_result(sample, criteria).as_row())
        yield sample


def run(arguments: argparse.Namespace) -> None:
    """Score the predictions, print the metrics and write the requested files."""
    started = time.perf_counter()
    if arguments.rows:
        check_table_path(arguments.rows)
    job = scoring_job(arguments)
    metrics = build_metrics(job, arguments.metric)
    rows: list[dict[str, Any]] = []
    samples = job.samples()
    if arguments.rows:
        samples = collect_rows(samples, rows, ErrorCriteria(score_thr=job.score_thr))
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
