"""Report what predictors without language, or without sight, get on a generated world.

python tools/analysis/shapes_baselines.py --data data/shapes [--split test]
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
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a generated world")
    parser.add_argument("--split", choices=("val", "test"), default="test")
    return parser.parse_args()


def measure(
    predictor: baselines.Predictor, questions: Sequence[baselines.Question]
) -> dict[str, float]:
    """Return the metrics of `predictor`, the single-target ones on single-target sentences."""
    pairs = [_rows(question, predictor(question)) for question in questions]
    masks, boxes = [mask for mask, _ in pairs], [box for _, box in pairs]
    alone = [len(question.target_ids) == 1 for question in questions]
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


def _rows(question: baselines.Question, answer: baselines.Answer) -> tuple[MaskRow, BoxRow]:
    truth = baselines.answer_with(question.targets, question.size)
    mask_row = compare_masks(
        answer.mask, truth.mask, no_target=truth.no_target, pred_no_target=answer.no_target
    )
    box_row = BoxRow(
        boxes_xyxy=answer.boxes_xyxy,
        scores=torch.ones(len(answer.boxes_xyxy)),
        target_boxes_xyxy=truth.boxes_xyxy,
    )
    return mask_row, box_row


def report(data: Path, split: str) -> Table:
    """Return the table of all predictors."""
    train, questions = (baselines.read_questions(data, name) for name in ("train", split))
    predictors: dict[str, baselines.Predictor] = {
        "no target, always": baselines.nothing,
        "whole image, always": baselines.whole_image,
        "mean box and mask": baselines.WordsOnly(baselines.without_words(train)),
        "every object": baselines.every_object,
        "largest object": baselines.largest_object,
        "words alone": baselines.WordsOnly(train),
        "keywords and sight": baselines.keywords,
    }
    rows = {
        name: measure(predictor, questions)
        for name, predictor in track(predictors.items(), description="baselines")
    }
    table = Table(title=f"{data}, {split}, {len(questions):,} sentences")
    table.add_column("predictor")
    for metric in next(iter(rows.values())):
        table.add_column(metric, justify="right")
    for name, values in rows.items():
        table.add_row(name, *(f"{value:.1f}" for value in values.values()))
    return table


def main() -> None:
    """Print the report."""
    args = parse_args()
    try:
        Console().print(report(args.data, args.split))
    except FileNotFoundError as error:
        sys.exit(f"{error}; make the world with tools/prepare_data.py shapes --out {args.data}")


if __name__ == "__main__":
    main()
