"""Export a config's model to torch.export (.pt2) or ONNX (.onnx), for any batch size."""

from __future__ import annotations

import argparse
import sys

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


def run(arguments: argparse.Namespace) -> int:
    """Export the model and compare the outputs; return 1 if they differ too much."""
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
        return 0
    checked = make_inputs(loaded, CHECKED_BATCH)
    found = largest_differences(
        run_exported(arguments.out, checked), tensor_outputs(loaded.model, checked)
    )
    for name, difference in found.items():
        print(f"{name:<24} {difference:.1e}")
    if not max(found.values()) <= arguments.tolerance:  # NaN fails too
        print(
            f"error: outputs differ from those of the model by more than {arguments.tolerance:g}",
            file=sys.stderr,
        )
        return 1
    return 0
