"""Count the parameters and operations of a config's model, by part."""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table
from torch import nn

from vgtoolbox.deployment.profiling import count_flops
from vgtoolbox.deployment.profiling.workload import load_for_measurement, make_inputs
from vgtoolbox.engine import parse_options


def count_parameters(module: nn.Module) -> tuple[int, int]:
    """Return the numbers of all and of trained parameters of a module."""
    sizes = [(p.numel(), p.requires_grad) for p in module.parameters()]
    return sum(size for size, _ in sizes), sum(size for size, trained in sizes if trained)


def run(arguments: argparse.Namespace) -> None:
    """Print the parameters and operations of each part."""
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
        console.print(f"no {file}: each word counts as one token instead", soft_wrap=True)
