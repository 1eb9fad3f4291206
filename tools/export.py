"""Export a config's model to torch.export (.pt2) or ONNX (.onnx), for any batch size.

    python tools/export.py CONFIG --checkpoint CKPT --out F.onnx [--outputs NAME ...]
                           [--tolerance 1e-3] [--no-check] [--cfg-options k=v ...]

The graph reads normalised inputs and gives the raw outputs of `tensor` mode. What was written is
run on another batch size and compared with the model, unless --no-check.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.deployment.export import (
    check_format,
    choose_outputs,
    export_program,
    largest_differences,
    run_exported,
    save_program,
    tensor_outputs,
)
from vgtoolbox.deployment.profiling.workload import load_for_measurement, make_inputs
from vgtoolbox.engine import parse_options

TRACED_BATCH, CHECKED_BATCH = 2, 3


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Export a config's model.")
    parser.add_argument("config", help="a Python config, e.g. configs/shapes/...")
    parser.add_argument("--checkpoint", "--load-from", metavar="CKPT", help="default: random")
    parser.add_argument("--out", required=True, type=Path, metavar="F", help="F.pt2 or F.onnx")
    parser.add_argument("--outputs", nargs="+", metavar="NAME", help="of tensor mode; default all")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="largest difference")
    parser.add_argument("--no-check", action="store_true", help="do not run what was written")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="K=V")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Export, and compare with the model."""
    arguments = parse_arguments(words)
    check_format(arguments.out)
    loaded, _ = load_for_measurement(
        arguments.config, arguments.checkpoint, parse_options(arguments.cfg_options)
    )
    inputs = make_inputs(loaded, TRACED_BATCH)
    outputs = choose_outputs(tuple(tensor_outputs(loaded.model, inputs)), arguments.outputs)
    program = export_program(loaded.model, inputs, outputs)
    save_program(program, arguments.out, inputs=tuple(inputs), outputs=outputs)
    print(arguments.out)
    if arguments.no_check:
        return
    checked = make_inputs(loaded, CHECKED_BATCH)
    found = largest_differences(
        run_exported(arguments.out, checked), tensor_outputs(loaded.model, checked)
    )
    for name, difference in found.items():
        print(f"{name:<24} {difference:.1e}")
    if not max(found.values()) <= arguments.tolerance:  # NaN fails too
        sys.exit(f"error: outputs differ by more than {arguments.tolerance:g} from the model's")


if __name__ == "__main__":
    with exit_on_user_error():
        main()
