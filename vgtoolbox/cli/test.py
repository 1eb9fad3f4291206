"""Test a checkpoint on every split of a config, with the official metrics."""

from __future__ import annotations

import argparse

from vgtoolbox.engine import load_config, parse_options, test


def run(arguments: argparse.Namespace) -> None:
    """Test the checkpoint and write the results."""
    named = {"work_dir": arguments.work_dir, "device": arguments.device}
    options = {key: value for key, value in named.items() if value}
    cfg = load_config(arguments.config, {**options, **parse_options(arguments.cfg_options)})
    test(cfg, arguments.load_from, splits=arguments.splits, out=arguments.out)
