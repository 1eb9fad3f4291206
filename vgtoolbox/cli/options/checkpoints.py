"""Arguments of convert, publish, merge-lora and zoo."""

from __future__ import annotations

import argparse
from pathlib import Path

from vgtoolbox.cli.arguments import DTYPES, add_cfg_options


def add_convert(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of convert."""
    parser.add_argument(
        "source", type=Path, metavar="IN", help="checkpoint in the published layout or in ours"
    )
    parser.add_argument("target", type=Path, metavar="OUT", help=".safetensors or .pth")
    parser.add_argument(
        "--config", help="config of the model: checks every weight, and is saved with the weights"
    )


def add_publish(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of publish."""
    parser.add_argument("source", type=Path, metavar="IN", help="training checkpoint (.pth)")
    parser.add_argument("target", type=Path, metavar="OUT", help=".safetensors file")
    parser.add_argument("--dtype", choices=DTYPES, help="type of the weights; default: unchanged")
    add_cfg_options(parser)


def add_merge_lora(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of merge-lora."""
    parser.add_argument(
        "checkpoint", type=Path, help="checkpoint of vgtoolbox, or a published folder"
    )
    parser.add_argument("out", type=Path, help="*.safetensors")
    parser.add_argument("--config", help="default: the config in the checkpoint")
    parser.add_argument("--adapter-only", action="store_true", help="keep only trained weights")


def add_zoo(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of zoo."""
    parser.add_argument("--system", help="list only the models of a system, e.g. InstanceVG")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--into", type=Path, metavar="PAGE", help="update a Markdown page")
    where.add_argument("--check", type=Path, metavar="PAGE", help="compare with a Markdown page")
