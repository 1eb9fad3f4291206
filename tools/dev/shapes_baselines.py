"""Score predictors without language or without vision on a generated world.

python tools/dev/shapes_baselines.py --data data/shapes [--split test]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from vgtoolbox.evaluation.functional import (
    BoxRow,
    MaskRow,
    compare_masks,
    grec_metrics,
    gres_metrics,
    rec_metrics,
    res_metrics,
)
from vgtoolbox.shapes import baselines


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of a generated world")
    parser.add_argument("--split", choices=("val", "test"), default="test")
    return parser.parse_args()


def measure(
    predictor: baselines.Predictor, samples: Sequence[baselines.ExpressionSample]
) -> dict[str, float]:
    """Return the metrics of `predictor`; single-target metrics use single-target sentences."""
    pairs = [_rows(sample, predictor(sample)) for sample in samples]
    masks, boxes = [mask for mask, _ in pairs], [box for _, box in pairs]
    alone = [len(sample.target_ids) == 1 for sample in samples]
    single_masks = [row for row, keep in zip(masks, alone, strict=True) if keep]
    single_boxes = [row for row, keep in zip(boxes, alone, strict=True) if keep]
    gres, grec = gres_metrics(masks), grec_metrics(boxes)
    return {
        "gIoU": gres["gIoU"],
        "N-acc": gres["N-acc"],
        "T-acc": gres["T-acc"],
        "Pr@(F1=1)": grec["Pr@(F1=1)"],
        "Acc@0.5": rec_metrics(single_boxes)["Acc@0.5"],
        "mIoU": res_metrics(single_masks)["mIoU"],
    }


def _rows(
    sample: baselines.ExpressionSample, prediction: baselines.Prediction
) -> tuple[MaskRow, BoxRow]:
    truth = baselines.predict_instances(sample.targets, sample.size)
    mask_row = compare_masks(
        prediction.mask, truth.mask, no_target=truth.no_target, pred_no_target=prediction.no_target
    )
    box_row = BoxRow(
        boxes_xyxy=prediction.boxes_xyxy,
        scores=torch.ones(len(prediction.boxes_xyxy)),
        target_boxes_xyxy=truth.boxes_xyxy,
    )
    return mask_row, box_row


def report(data: Path, split: str) -> Table:
    """Return the table of all predictors."""
    train, samples = (baselines.read_samples(data, name) for name in ("train", split))
    predictors: dict[str, baselines.Predictor] = {
        "always no target": baselines.predict_nothing,
        "always the whole image": baselines.predict_whole_image,
        "mean box and mask": baselines.TextOnlyPredictor(baselines.drop_text(train)),
        "every object": baselines.predict_all_objects,
        "largest object": baselines.predict_largest_object,
        "words only": baselines.TextOnlyPredictor(train),
        "keywords with perfect vision": baselines.predict_by_keywords,
    }
    rows = {
        name: measure(predictor, samples)
        for name, predictor in track(predictors.items(), description="baselines")
    }
    table = Table(title=f"{data}, {split}, {len(samples):,} sentences")
    table.add_column("predictor")
    for metric in next(iter(rows.values())):
        table.add_column(metric, justify="right")
    for name, values in rows.items():
        table.add_row(name, *(f"{value:.1f}" for value in values.values()))
    return table


def main() -> None:
    """Print the table."""
    args = parse_args()
    try:
        Console().print(report(args.data, args.split))
    except FileNotFoundError as error:
        sys.exit(f"error: {error}; generate the world with vgtoolbox data shapes --out {args.data}")


if __name__ == "__main__":
    main()
