"""Print completion scripts for shells."""

from __future__ import annotations

import argparse


def run(arguments: argparse.Namespace) -> None:
    """Print the completion script of a shell; `eval "$(vgtoolbox completion bash)"` enables it."""
    import shtab

    from vgtoolbox.cli.main import build_parser

    print(shtab.complete(build_parser(), shell=arguments.shell))
