"""Arguments of eval, errors, draw, browse, logs, compare, config and doctor."""

from __future__ import annotations

import argparse
from pathlib import Path

from vgtoolbox.cli.arguments import (
    add_cfg_options,
    add_config,
    add_out,
    add_sampling,
    add_score_thr,
    add_split,
)

LAYOUTS = ("jsonl", "coco", "refexp")
MATCH_KEYS = ("sample_id", "sent_id", "image_id", "ann_id", "position")
MISSING_RULES = ("error", "nothing")
MERGE_RULES = ("kept", "best")


def add_scoring(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that name a prediction file and the split to score it against."""
    parser.add_argument(
        "predictions", type=Path, help="predictions.jsonl, COCO results or Google Refexp JSON"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--config", help="config with test_splits")
    where.add_argument(
        "--dataset", nargs="+", metavar="K=V", help="dataset without a config: type=Name ..."
    )
    add_split(parser)
    parser.add_argument("--layout", choices=LAYOUTS, help="default: recognized by the content")
    parser.add_argument("--match", choices=MATCH_KEYS, help="meaning of the keys in the file")
    parser.add_argument(
        "--missing",
        choices=MISSING_RULES,
        default="error",
        help="how a sample without a prediction counts; default: %(default)s",
    )
    add_score_thr(parser, default="that of the config's model, or 0.7")
    parser.add_argument(
        "--merge",
        choices=MERGE_RULES,
        default="kept",
        help="detections that form the merged mask; default: %(default)s",
    )
    add_cfg_options(parser)


def add_eval(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of eval."""
    add_scoring(parser)
    parser.add_argument(
        "--metric",
        nargs="+",
        action="append",
        metavar="K=V",
        help="replaces the metrics of the split: type=GRECMetric match=iou; can be repeated",
    )
    parser.add_argument("--out", type=Path, metavar="F.json", help="metrics.json to write")
    parser.add_argument("--rows", type=Path, metavar="F", help="per-sample rows: .parquet or .csv")


def add_errors(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of errors."""
    add_scoring(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="D", help="output folder")
    parser.add_argument(
        "--rows", type=Path, metavar="F", help=".parquet or .csv; default: D/errors.csv"
    )
    parser.add_argument(
        "--keep",
        choices=("score", "best"),
        default="score",
        help="answer: all boxes above --score-thr, or the best one (always one target)",
    )
    parser.add_argument("--iou-thr", type=float, default=0.5, help="IoU of a found target")
    parser.add_argument(
        "--loose-thr", type=float, default=0.1, help="IoU of a box that is meant for a target"
    )
    parser.add_argument("--worst", type=int, default=16, metavar="N", help="samples to draw")


def add_draw(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of draw."""
    parser.add_argument("--config", required=True, help="config with test_splits")
    parser.add_argument("--predictions", required=True, type=Path, metavar="F", help="*.jsonl")
    add_split(parser)
    add_sampling(parser, num=16)
    add_score_thr(parser, default="that of the config's model, or 0.7")
    add_out(parser, help_text="PNG file; default: next to the predictions")
    add_cfg_options(parser)


def add_browse(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of browse."""
    add_config(parser)
    parser.add_argument("--split", default="train", help="train, val, or a name in test_splits")
    add_sampling(parser, num=8)
    parser.add_argument("--epoch", type=int, default=0, help="epoch of the random transforms")
    add_out(parser, help_text="output folder; default: %(default)s", default="work_dirs/browse")
    add_cfg_options(parser)


def add_logs(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of logs."""
    parser.add_argument("work_dirs", nargs="+", type=Path, metavar="WORK_DIR")
    parser.add_argument("--keys", nargs="+", metavar="K", help='names or patterns, e.g. "gres/*"')
    add_out(parser, help_text="picture of the curves: .png, .svg or .pdf")


def add_compare(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of compare."""
    parser.add_argument("reports", nargs="+", type=Path, metavar="F", help="metrics.json, folders")
    parser.add_argument("--split", help="compare only this split")


def add_print_config(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of config."""
    add_config(parser)
    parser.add_argument("--key", metavar="K", help="print only this section, by its dotted key")
    add_cfg_options(parser)


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of doctor."""
    parser.add_argument("--data-root", type=Path, default=Path("data"), metavar="D")
    parser.add_argument("--env", action="store_true", help="print only versions, for a bug report")


def add_env(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of env: none, since it is doctor --env."""
    parser.set_defaults(data_root=Path("data"), env=True)


def add_completion(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of completion."""
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="shell to complete in")
