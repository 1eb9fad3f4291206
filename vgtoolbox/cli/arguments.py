"""Arguments that several commands share. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from pathlib import Path

DTYPES = ("float32", "bfloat16", "float16")


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the positional CONFIG."""
    parser.add_argument(
        "config",
        metavar="CONFIG",
        help="path of a Python config, or name of a packaged one such as InstanceVG-grefcoco",
    )


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add `--cfg-options key=value ...`."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action="extend",
        default=[],
        metavar="K=V",
        help="overrides of the config, e.g. optim_wrapper.optimizer.lr=1e-4",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add `--device`."""
    parser.add_argument(
        "--device",
        default="auto",
        help="auto (cuda, then mps, then cpu), cpu, cuda, cuda:<n> or mps; default: %(default)s",
    )


def add_checkpoint(parser: argparse.ArgumentParser, *, default: str) -> None:
    """Add `--checkpoint`, also called `--load-from`.

    Args:
        parser: Parser of the command.
        default: Description of the weights that are used without the argument.
    """
    parser.add_argument(
        "--checkpoint",
        "--load-from",
        metavar="CKPT",
        help=f"checkpoint of vgtoolbox (.pth, .safetensors) or a published one; default: {default}",
    )


def add_model(parser: argparse.ArgumentParser, *, default: str) -> None:
    """Add the arguments that choose a trained model: a zoo name, or config and checkpoint.

    Args:
        parser: Parser of the command.
        default: Description of the model that is used without the arguments.
    """
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", metavar="NAME", help=f"name of a zoo model; default: {default}")
    model.add_argument("--config", help="default: the config in the checkpoint")
    add_checkpoint(parser, default="the weights of the named model")
    add_device(parser)
    add_cfg_options(parser)


def add_score_thr(parser: argparse.ArgumentParser, *, default: str = "that of the model") -> None:
    """Add `--score-thr`."""
    parser.add_argument(
        "--score-thr",
        "--score_thr",
        type=float,
        metavar="S",
        help=f"score above which a candidate is a target; default: {default}",
    )


def add_split(parser: argparse.ArgumentParser) -> None:
    """Add `--split` of a prediction file."""
    parser.add_argument(
        "--split", help="name in test_splits; default: the folder name of the predictions"
    )


def add_sampling(parser: argparse.ArgumentParser, *, num: int) -> None:
    """Add the arguments that choose random samples and arrange their pictures."""
    parser.add_argument(
        "--num", type=positive, default=num, help="number of random samples; default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=0, help="random seed; default: %(default)s")
    parser.add_argument(
        "--columns", type=positive, default=4, help="pictures in a row; default: %(default)s"
    )


def add_out(parser: argparse.ArgumentParser, *, help_text: str, default: str | None = None) -> None:
    """Add `--out` as a path.

    Args:
        parser: Parser of the command.
        help_text: Description of the output.
        default: Default path. If `None`, there is none.
    """
    parser.add_argument(
        "--out", type=Path, default=None if default is None else Path(default), help=help_text
    )


def positive(text: str) -> int:
    """Parse an integer of 1 or more."""
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be an integer of 1 or more, got {text!r}")
    return number


def port(text: str) -> int:
    """Parse a port; 0 stands for any free one."""
    number = int(text) if text.isascii() and text.isdigit() else -1
    if not 0 <= number < 2**16:
        raise argparse.ArgumentTypeError(f"must be an integer from 0 to 65535, got {text!r}")
    return number
