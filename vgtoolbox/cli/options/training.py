"""Arguments of train and test."""

from __future__ import annotations

import argparse
from pathlib import Path

from vgtoolbox.cli.arguments import add_cfg_options, add_config, add_device


def add_train(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of train."""
    add_config(parser)
    parser.add_argument(
        "--work-dir", help="folder of logs and checkpoints; default: work_dirs/<config>"
    )
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        metavar="CKPT",
        help="resume exactly from a checkpoint; without a value, from the last one in --work-dir",
    )
    parser.add_argument("--load-from", metavar="CKPT", help="checkpoint with the initial weights")
    parser.add_argument(
        "--tokenizer",
        choices=["checkpoint", "config"],
        help="tokenizer to use if the checkpoint contains another one than the config names; "
        "default: none, it is an error",
    )
    parser.add_argument("--seed", type=int, help="random seed; default: randomness.seed")
    parser.add_argument(
        "--amp",
        nargs="?",
        const="bfloat16",
        choices=["bfloat16", "float16"],
        help="automatic mixed precision; bfloat16 without a value",
    )
    parser.add_argument(
        "--auto-scale-lr",
        action="store_true",
        help="scale the learning rate by the total batch size / auto_scale_lr.base_batch_size",
    )
    add_device(parser)
    add_cfg_options(parser)


def add_test(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of test."""
    add_config(parser)
    parser.add_argument(
        "--load-from",
        "--checkpoint",
        required=True,
        metavar="CKPT",
        help="checkpoint of vgtoolbox (.pth, .safetensors) or a published one",
    )
    parser.add_argument("--splits", nargs="+", metavar="S", help="names in test_splits; all")
    parser.add_argument("--out", metavar="D", help="folder of results; default: <work dir>/test")
    parser.add_argument("--work-dir", help="folder of logs; default: work_dirs/<config>")
    add_device(parser)
    add_cfg_options(parser)


def train_interrupted(arguments: argparse.Namespace) -> str:
    """Return what an interrupted training kept."""
    folder = arguments.work_dir or f"work_dirs/{Path(arguments.config).stem}"
    return f"checkpoints so far are in {folder}; add --resume to the same command to continue"


def test_interrupted(arguments: argparse.Namespace) -> str:
    """Return what an interrupted test kept."""
    return "no metrics were written; run the same command again"
