"""Test a checkpoint on every split of a config, with the official metrics.

    python tools/test.py CONFIG --load-from CKPT [--splits S ...] [--out D] [--device auto]
                         [--cfg-options k=v ...]

Writes D/metrics.json and D/<split>/predictions.jsonl. On several devices: tools/dist_test.sh.
"""

from __future__ import annotations

import argparse

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.engine import load_config, parse_options, test


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Test a checkpoint on the splits of a config.")
    parser.add_argument("config", help="a Python config, e.g. configs/shapes/...")
    parser.add_argument(
        "--load-from",
        "--checkpoint",
        required=True,
        metavar="CKPT",
        help="our checkpoint (.pth, .safetensors) or a published one",
    )
    parser.add_argument("--splits", nargs="+", metavar="S", help="of test_splits; default all")
    parser.add_argument("--out", metavar="D", help="results; default <work dir>/test")
    parser.add_argument("--work-dir", help="logs; default work_dirs/<config>")
    parser.add_argument("--device", help="auto (default), cpu, cuda, cuda:<n> or mps")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="K=V",
        help="override keys of the config, e.g. test_dataloader.batch_size=1",
    )
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Test."""
    arguments = parse_arguments(words)
    named = {"work_dir": arguments.work_dir, "device": arguments.device}
    options = {key: value for key, value in named.items() if value}
    cfg = load_config(arguments.config, {**options, **parse_options(arguments.cfg_options)})
    test(cfg, arguments.load_from, splits=arguments.splits, out=arguments.out)


if __name__ == "__main__":
    with exit_on_user_error():
        main()
