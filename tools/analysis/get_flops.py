"""Count the parameters and the arithmetic of a config's model, by its parts.

    python tools/analysis/get_flops.py CONFIG [--batch-size 1] [--cfg-options k=v ...]

Weights are random and the picture is noise, which costs the same. Matrix products, convolutions and
attention count, as torch's own counter sees them; a multiplication and an addition are two.
"""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table
from torch import nn

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.deployment.profiling import count_flops
from vgtoolbox.deployment.profiling.workload import load_for_measurement, make_inputs
from vgtoolbox.engine import parse_options


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Count parameters and arithmetic of a model.")
    parser.add_argument("config", help="a Python config")
    parser.add_argument("--batch-size", type=int, default=1, metavar="B")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="K=V")
    return parser.parse_args(words)


def count_parameters(module: nn.Module) -> tuple[int, int]:
    """Return how many parameters a module has, and how many of them are trained."""
    sizes = [(p.numel(), p.requires_grad) for p in module.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)


def main(words: list[str] | None = None) -> None:
    """Count and print."""
    arguments = parse_arguments(words)
    loaded, missing = load_for_measurement(
        arguments.config, None, parse_options(arguments.cfg_options)
    )
    inputs = make_inputs(loaded, arguments.batch_size)
    flops = count_flops(loaded.model, inputs)
    table = Table("part", "parameters", "trained", "GFLOP")
    parts = [*loaded.model.named_children(), ("", loaded.model)]
    for name, module in parts:
        total, trained = count_parameters(module)
        if total or flops.get(name):
            counts = f"{total:,}", f"{trained:,}", f"{flops.get(name, 0) / 1e9:.3f}"
            table.add_row(name or "all", *counts, end_section=name == parts[-2][0])
    console = Console()
    console.print(table)
    height, width = inputs["images"].shape[-2:]
    tokens = inputs["token_ids"].shape[1]
    console.print(f"input: {arguments.batch_size} x {height} x {width} pixels, {tokens} tokens")
    for file in missing:
        console.print(f"no {file}: a stand-in tokenizer was used", soft_wrap=True)


if __name__ == "__main__":
    with exit_on_user_error():
        main()
