"""Train the model of a config.

    python tools/train.py CONFIG [--work-dir D] [--resume [CKPT]] [--load-from CKPT] [--seed S]
                          [--amp [DTYPE]] [--device auto] [--cfg-options k=v ...]

On several devices: tools/dist_train.sh.
"""

from __future__ import annotations

import argparse

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.engine import load_config, parse_options, train


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Train the model of a config.")
    parser.add_argument("config", help="a Python config, e.g. configs/shapes/...")
    parser.add_argument("--work-dir", help="logs and checkpoints; default work_dirs/<config>")
    parser.add_argument(
        "--resume",
        nargs="?",
        const=True,
        default=False,
        metavar="CKPT",
        help="go on exactly where a checkpoint ends; without a value, the last of the work dir",
    )
    parser.add_argument("--load-from", metavar="CKPT", help="begin with these weights")
    parser.add_argument("--seed", type=int, help="overrides the config's randomness.seed")
    parser.add_argument(
        "--amp",
        nargs="?",
        const="bfloat16",
        choices=["bfloat16", "float16"],
        help="automatic mixed precision; bfloat16 without a value",
    )
    parser.add_argument("--device", help="auto (default), cpu, cuda, cuda:<n> or mps")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="K=V",
        help="override keys of the config, e.g. optim_wrapper.optimizer.lr=1e-4",
    )
    return parser.parse_args(words)


def overrides(arguments: argparse.Namespace) -> dict[str, object]:
    """Turn the named options into overrides of the config; --cfg-options come last."""
    options: dict[str, object] = {}
    if arguments.work_dir:
        options["work_dir"] = arguments.work_dir
    if arguments.device:
        options["device"] = arguments.device
    if arguments.seed is not None:
        options["randomness.seed"] = arguments.seed
    if arguments.amp:
        options["optim_wrapper.type"] = "AutocastOptimWrapper"
        options["optim_wrapper.dtype"] = arguments.amp
    return {**options, **parse_options(arguments.cfg_options)}


def main(words: list[str] | None = None) -> None:
    """Train."""
    arguments = parse_arguments(words)
    cfg = load_config(arguments.config, overrides(arguments))
    train(cfg, resume=arguments.resume, load_from=arguments.load_from)


if __name__ == "__main__":
    with exit_on_user_error():
        main()
