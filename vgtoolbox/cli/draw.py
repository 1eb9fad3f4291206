"""Draw a sheet of predictions, each next to its ground truth."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from vgtoolbox.datasets import GroundingDataset
from vgtoolbox.engine import load_config, parse_options
from vgtoolbox.engine.runner import choose_splits
from vgtoolbox.evaluation import PredictionRecord, read_predictions
from vgtoolbox.registry import DATASETS
from vgtoolbox.structures import PUBLISHED_SCORE_THR
from vgtoolbox.visualization import SheetEntry, draw_contact_sheet
from vgtoolbox.visualization.image_file import save_image

# The image as stored on disk, with targets in its frame: no resizing, no tokens.
PIPELINE = [{"type": "LoadImage"}, {"type": "LoadTargets"}]


def draw_sample(records: Sequence[PredictionRecord], num: int, seed: int) -> list[PredictionRecord]:
    """Return `num` random records in file order; equal seeds give equal records."""
    chosen = np.random.default_rng(seed).permutation(len(records))[:num]
    return [records[index] for index in sorted(chosen)]


def sheet_entries(
    records: Sequence[PredictionRecord], dataset: GroundingDataset
) -> list[SheetEntry]:
    """Combine predictions with the image and the targets of their sample.

    Raises:
        ValueError: A sample is not in the dataset, so the predictions belong to another split.
    """
    wanted = {record["id"] for record in records}
    infos = ((i, dataset.get_data_info(i)["sample_id"]) for i in range(len(dataset)))
    positions = {sample_id: index for index, sample_id in infos if sample_id in wanted}
    missing = wanted - positions.keys()
    if missing:
        raise ValueError(
            f"sample {min(missing)!r} of the predictions is not in the {dataset.split!r} split of "
            f"{dataset.ann_dir}; name the split of the predictions with --split"
        )
    return [SheetEntry.from_sample(dataset[positions[record["id"]]], record) for record in records]


def run(arguments: argparse.Namespace) -> None:
    """Draw the sheet of random predictions."""
    cfg = load_config(arguments.config, parse_options(arguments.cfg_options))
    name = arguments.split or arguments.predictions.resolve().parent.name
    split = choose_splits(cfg, [name])[name]
    dataset = DATASETS.build({**split["dataset"], "pipeline": PIPELINE})
    records = draw_sample(read_predictions(arguments.predictions), arguments.num, arguments.seed)
    score_thr = arguments.score_thr
    if score_thr is None:
        postprocessor = cfg.get("model", {}).get("postprocessor", {})
        score_thr = postprocessor.get("score_thr", PUBLISHED_SCORE_THR)
    sheet = draw_contact_sheet(
        sheet_entries(records, dataset), columns=arguments.columns, score_thr=score_thr
    )
    out = arguments.out or arguments.predictions.with_suffix(".png")
    save_image(sheet, out)
    print(out)
