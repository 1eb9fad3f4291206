"""Measure the speed of a config's model and its share of the machine's peak rate."""

from __future__ import annotations

import argparse

import torch

from vgtoolbox.deployment.profiling import (
    ProfilingSettings,
    describe_machine,
    format_measurements,
    format_stages,
    measure_modes,
    measure_training,
    write_benchmark,
)
from vgtoolbox.deployment.profiling.workload import load_for_measurement
from vgtoolbox.engine import choose_device, parse_options

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def run(arguments: argparse.Namespace) -> None:
    """Measure the model in each mode, print the figures and save them if `--out` is given."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    loaded, missing = load_for_measurement(
        arguments.config, arguments.checkpoint, parse_options(arguments.cfg_options)
    )
    if missing:
        print(f"no {', '.join(missing)}: each word counts as one token instead")
    loaded.model.to(device)
    modes = dict.fromkeys([*arguments.mode, *([arguments.against] if arguments.against else [])])
    if arguments.against:  # the mode to compare with comes last
        modes[arguments.against] = modes.pop(arguments.against)
    settings = ProfilingSettings(tuple(modes), DTYPES[arguments.dtype], arguments.seconds)
    machine = describe_machine(device)
    print(", ".join(f"{key} {value}" for key, value in machine.items()))
    measurements, stages = measure_modes(loaded, arguments.batch_sizes, settings)
    for size in stages:
        print(format_stages(size, stages[size]))
    if arguments.train_step:
        for size in arguments.batch_sizes:
            measurements.append(measure_training(loaded, size, settings))
    print(format_measurements(measurements))
    if arguments.out:
        write_benchmark(
            arguments.out,
            config=arguments.config,
            machine=machine,
            measurements=measurements,
            stages=stages,
        )
