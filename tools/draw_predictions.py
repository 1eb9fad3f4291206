"""Draw a sheet of predictions: for each expression, the ground truth beside what was found.

    python tools/draw_predictions.py --config CONFIG --predictions F.jsonl [--split S] [--num 16]
                                     [--seed 0] [--out F.png] [--cfg-options k=v ...]

The predictions are what tools/test.py wrote for a split of the config.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.datasets import GroundingDataset
from vgtoolbox.engine import load_config, parse_options
from vgtoolbox.engine.runner import choose_splits
from vgtoolbox.evaluation import PredictionRecord, read_predictions
from vgtoolbox.registry import DATASETS
from vgtoolbox.visualization import SheetEntry, draw_contact_sheet

# The picture as it lies on disk, with targets in its frame: no resizing, no tokens.
PIPELINE = [{"type": "LoadImage"}, {"type": "LoadTargets"}]
PUBLISHED_SCORE_THR = 0.7


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Draw a sheet of predictions.")
    parser.add_argument("--config", required=True, help="a Python config with test_splits")
    parser.add_argument(
        "--predictions", required=True, type=Path, metavar="F", help="predictions.jsonl of a split"
    )
    parser.add_argument("--split", help="of test_splits; default: the folder of the predictions")
    parser.add_argument("--num", type=int, default=16, help="how many, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--columns", type=int, default=4, help="pairs in a row")
    parser.add_argument("--score_thr", "--score-thr", type=float, help="default: the config's")
    parser.add_argument("--out", type=Path, metavar="F", help="PNG; default beside the predictions")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="K=V")
    arguments = parser.parse_args(words)
    if min(arguments.num, arguments.columns) < 1:
        parser.error("--num and --columns must be 1 or more")
    return arguments


def draw_sample(records: Sequence[PredictionRecord], num: int, seed: int) -> list[PredictionRecord]:
    """Return `num` records at random, in their order; the same ones for the same seed."""
    chosen = np.random.default_rng(seed).permutation(len(records))[:num]
    return [records[index] for index in sorted(chosen)]


def sheet_entries(
    records: Sequence[PredictionRecord], dataset: GroundingDataset
) -> list[SheetEntry]:
    """Put predictions beside the image and the targets of their sample.

    Raises:
        ValueError: A sample is not in the dataset, so the predictions are of another split.
    """
    wanted = {record["id"] for record in records}
    infos = ((i, dataset.get_data_info(i)["sample_id"]) for i in range(len(dataset)))
    positions = {sample_id: index for index, sample_id in infos if sample_id in wanted}
    missing = wanted - positions.keys()
    if missing:
        raise ValueError(
            f"sample {min(missing)!r} of the predictions is not in the {dataset.split!r} split of "
            f"{dataset.ann_dir}; name the split that they are of by --split"
        )
    return [SheetEntry.from_sample(dataset[positions[record["id"]]], record) for record in records]


def main(words: list[str] | None = None) -> None:
    """Draw."""
    arguments = parse_arguments(words)
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
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(sheet).save(out)
    print(out)


if __name__ == "__main__":
    with exit_on_user_error(OSError, ValueError):
        main()
