"""Measure how fast a config's model runs, and what share of the machine it uses.

    python tools/benchmark.py CONFIG [--checkpoint CKPT] [--batch-sizes 1 8] [--mode fused]
                              [--against eager] [--train-step] [--dtype float32] [--device auto]
                              [--threads N] [--seconds 20] [--out F.json] [--cfg-options k=v ...]

Modes run in turn with a large matrix product, so that the share of the machine's own rate holds
while other programs run; without a checkpoint the weights are random, which costs the same.
"""

from __future__ import annotations

import argparse

import torch

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.deployment.acceleration import ACCELERATION_MODES
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


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure how fast a config's model runs.")
    parser.add_argument("config", help="a Python config, e.g. configs/gres/...")
    parser.add_argument("--checkpoint", "--load-from", metavar="CKPT", help="default: random")
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[1, 8], metavar="B")
    parser.add_argument("--mode", nargs="+", choices=ACCELERATION_MODES, default=["fused"])
    parser.add_argument(
        "--against", choices=ACCELERATION_MODES, help="compare speed and outputs with this mode"
    )
    parser.add_argument("--train-step", action="store_true", help="also time training steps")
    parser.add_argument("--dtype", choices=DTYPES, default="float32")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda or cuda:<n>")
    parser.add_argument("--threads", type=int, help="of torch on a CPU; default: its own choice")
    parser.add_argument("--seconds", type=float, default=20.0, help="for each batch size")
    parser.add_argument("--out", metavar="F", help="write all figures as JSON")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="K=V")
    arguments = parser.parse_args(words)
    if min(arguments.batch_sizes) < 1:
        parser.error("--batch-sizes must be 1 or more")
    return arguments


def main(words: list[str] | None = None) -> None:
    """Measure."""
    arguments = parse_arguments(words)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    loaded, missing = load_for_measurement(
        arguments.config, arguments.checkpoint, parse_options(arguments.cfg_options)
    )
    if missing:
        print(f"no {', '.join(missing)}: one token a word in its place")
    loaded.model.to(device)
    modes = dict.fromkeys([*arguments.mode, *([arguments.against] if arguments.against else [])])
    if arguments.against:  # the one to compare with comes last
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


if __name__ == "__main__":
    with exit_on_user_error():
        main()
