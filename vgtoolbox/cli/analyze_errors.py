"""Analyze the errors in a prediction file, by type and by expression."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from rich.console import Console

from vgtoolbox.cli.scoring import ScoringJob, scoring_job
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
from vgtoolbox.visualization.image_file import save_image

TABLE_WIDTH = 120


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


def run(arguments: argparse.Namespace) -> None:
    """Classify the errors, print the table, and write the rows and pictures."""
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
        save_image(sheet, arguments.out / "worst.png")
    print(f"rows in {rows}, pictures in {arguments.out}")
