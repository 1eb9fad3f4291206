"""Say what goes wrong in a file of predictions: which mistakes, on which expressions.

    python tools/analysis/analyze_errors.py PREDICTIONS --config CONFIG [--split S] --out D
                                            [--keep score|best] [--score-thr 0.7] [--worst 16]

Prints a table and writes D/errors.csv (or --rows F.parquet), D/errors.png and D/worst.png.
docs/metrics.md defines the error types.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.structures import InstanceData
from PIL import Image
from rich.console import Console

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.cli.scoring import ScoringJob, add_scoring_arguments, scoring_job
from vgtoolbox.evaluation import (
    ErrorCriteria,
    SampleResult,
    check_table_path,
    error_breakdown,
    error_table,
    plot_errors,
    sample_result,
    worst_results,
    write_sample_table,
)
from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.visualization import SheetEntry, draw_contact_sheet

TABLE_WIDTH = 120


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Say what goes wrong in a file of predictions.")
    add_scoring_arguments(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="D", help="folder of results")
    parser.add_argument("--rows", type=Path, metavar="F", help=".parquet or .csv, not D/errors.csv")
    parser.add_argument(
        "--keep",
        choices=("score", "best"),
        default="score",
        help="the answer is all boxes above --score-thr, or the best one (one target always)",
    )
    parser.add_argument("--iou-thr", type=float, default=0.5, help="of a found target")
    parser.add_argument("--loose-thr", type=float, default=0.1, help="of a box meant for a target")
    parser.add_argument("--worst", type=int, default=16, metavar="N", help="how many to draw")
    return parser.parse_args(words)


def worst_entries(job: ScoringJob, chosen: Sequence[SampleResult]) -> list[SheetEntry]:
    """Return the panels of the chosen samples, in their order, titled with their error types."""
    load = TRANSFORMS.build({"type": "LoadImage"})
    error_types = {result.sample_id: result.error_type.value for result in chosen}
    entries = {}
    for sample in job.samples():
        if sample["sample_id"] not in error_types:
            continue
        image = load({"img_path": sample["img_path"]})["image"].as_subclass(torch.Tensor)
        record = sample["prediction"]
        title = f"{error_types[sample['sample_id']]}: {record['expression']}"
        entries[sample["sample_id"]] = SheetEntry(
            image=image.permute(1, 2, 0).contiguous().numpy(),
            targets=InstanceData(**sample["gt_instances_ori"]),
            record={**record, "expression": title},
        )
    return [entries[result.sample_id] for result in chosen]


def main(words: list[str] | None = None) -> None:
    """Analyse."""
    arguments = parse_arguments(words)
    rows = arguments.rows or arguments.out / "errors.csv"
    check_table_path(rows)
    job = scoring_job(arguments)
    criteria = ErrorCriteria(
        keep=arguments.keep,
        score_thr=job.score_thr,
        iou_thr=arguments.iou_thr,
        loose_thr=arguments.loose_thr,
    )
    results = [sample_result(sample, criteria) for sample in job.samples()]
    breakdown = error_breakdown(results)
    title = f"{arguments.predictions}, boxes by {criteria.keep} (threshold {criteria.score_thr:g})"
    Console(width=TABLE_WIDTH).print(error_table(breakdown, title=title))
    write_sample_table(rows, [result.as_row() for result in results])
    plot_errors(breakdown, arguments.out / "errors.png", title=title)
    chosen = worst_results(results, arguments.worst)
    if chosen:
        sheet = draw_contact_sheet(worst_entries(job, chosen), score_thr=criteria.score_thr)
        Image.fromarray(sheet).save(arguments.out / "worst.png")
    print(f"{rows}, and pictures in {arguments.out}")


if __name__ == "__main__":
    with exit_on_user_error(OSError, ValueError, KeyError, ImportError):
        main()
