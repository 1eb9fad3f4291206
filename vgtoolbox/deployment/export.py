"""Export a grounder to a graph that runs without this package: torch.export and ONNX.

The graph is `tensor` mode: normalized inputs in, raw outputs out, any batch size. Thresholds,
coordinate frames and run-length encoding remain in Python.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from vgtoolbox.engine.config import ConfigError

EXPORT_SUFFIXES = (".pt2", ".onnx")
# ONNX files are Protobuf messages, which end at 2 GiB; larger weights go to a second file.
_MAX_PROTOBUF_BYTES = 1_900_000_000


class ExportableGrounder(nn.Module):
    """`tensor` mode with positional tensors as inputs and outputs.

    Args:
        model: Grounder in evaluation mode.
        inputs: Names of the inputs that `tensor` reads, in order.
        outputs: Names of the outputs, in order.
    """

    def __init__(self, model: BaseModel, *, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run on inputs in the order of `inputs`; return outputs in the order of `outputs`."""
        output = self.model.tensor(dict(zip(self.inputs, tensors, strict=True)))
        return tuple(getattr(output, name) for name in self.outputs)


def tensor_outputs(model: BaseModel, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of `tensor` mode by name, in the order of the dataclass fields."""
    with torch.no_grad():
        output = model.tensor(inputs)
    values = {field.name: getattr(output, field.name) for field in fields(output)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def choose_outputs(available: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the outputs to export.

    Args:
        available: Names of the model's outputs.
        wanted: Names of the outputs to export. If `None` or empty, all are exported.

    Raises:
        ConfigError: A wanted output is not available.
    """
    unknown = sorted(set(wanted or ()) - set(available))
    if unknown:
        raise ConfigError(f"outputs must be among {', '.join(available)}, got {', '.join(unknown)}")
    return tuple(wanted or available)


def export_program(
    model: BaseModel, inputs: Mapping[str, Tensor], outputs: Sequence[str]
) -> ExportedProgram:
    """Trace the model for any batch size.

    Args:
        model: Grounder in evaluation mode. Its weights become part of the program.
        inputs: Example inputs of batch size 2 or more: sizes 0 and 1 would become constants.
        outputs: Names of the outputs to keep.

    Raises:
        ValueError: The model is in training mode, or the batch sizes differ or are below 2.
    """
    if model.training:
        raise ValueError(
            "the model must be in evaluation mode, got training mode; call eval() first"
        )
    sizes = {value.shape[0] for value in inputs.values()}
    if len(sizes) != 1 or min(sizes) < 2:
        raise ValueError(
            f"example inputs must have one batch size of 2 or more, got {sorted(sizes)}"
        )
    wrapped = ExportableGrounder(model, inputs=tuple(inputs), outputs=outputs)
    batch = Dim("batch")
    with torch.no_grad():
        return torch.export.export(
            wrapped,
            tuple(inputs.values()),
            dynamic_shapes={"tensors": tuple({0: batch} for _ in inputs)},
            strict=False,
        )


def save_program(
    program: ExportedProgram,
    path: str | Path,
    *,
    inputs: Sequence[str],
    outputs: Sequence[str],
) -> None:
    """Write a program as torch.export (`.pt2`) or ONNX (`.onnx`), chosen by the suffix.

    Args:
        program: Exported program.
        path: Path of the file. Missing parent folders are created.
        inputs: Names of the inputs, in order.
        outputs: Names of the outputs, in order.

    Raises:
        ConfigError: The suffix is unknown, or a library for it is not installed.
    """
    target = Path(path)
    check_format(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".pt2":
        names = {"inputs.txt": "\n".join(inputs), "outputs.txt": "\n".join(outputs)}
        torch.export.save(program, target, extra_files=names)
        return
    weights = sum(value.numel() * value.element_size() for value in program.state_dict.values())
    torch.onnx.export(
        program,
        f=target,
        input_names=list(inputs),
        output_names=list(outputs),
        external_data=weights > _MAX_PROTOBUF_BYTES,
        dynamo=True,
        verbose=False,
    )


def check_format(path: Path) -> None:
    """Check that a file of this suffix can be written.

    Raises:
        ConfigError: The suffix is unknown, or a library for it is not installed.
    """
    if path.suffix not in EXPORT_SUFFIXES:
        raise ConfigError(
            f"the output file must end in {' or '.join(EXPORT_SUFFIXES)}, got {str(path)!r}"
        )
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if path.suffix == ".onnx" and missing:
        raise ConfigError(
            f"ONNX needs {', '.join(missing)}: pip install 'vgtoolbox[export]', or export to .pt2"
        )


def run_exported(path: str | Path, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Run an exported file on the CPU and return its outputs by name.

    Raises:
        ConfigError: onnxruntime is not installed.
    """
    target = Path(path)
    cpu = {name: value.cpu() for name, value in inputs.items()}
    return _run_onnx(target, cpu) if target.suffix == ".onnx" else _run_program(target, cpu)


def _run_program(path: Path, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    names: dict[str, Any] = {"inputs.txt": "", "outputs.txt": ""}
    program = torch.export.load(path, extra_files=names)
    ordered = [inputs[name] for name in names["inputs.txt"].splitlines()]
    with torch.no_grad():
        outputs = program.module()(*ordered)
    return dict(zip(names["outputs.txt"].splitlines(), outputs, strict=True))


def _run_onnx(path: Path, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    try:
        import onnxruntime
    except ImportError as error:
        raise ConfigError(
            "running ONNX needs onnxruntime: pip install 'vgtoolbox[export]'"
        ) from error
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    arrays = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    names = [output.name for output in session.get_outputs()]
    return {name: torch.from_numpy(array) for name, array in zip(names, arrays, strict=True)}


def largest_differences(
    outputs: Mapping[str, Tensor], expected: Mapping[str, Tensor]
) -> dict[str, float]:
    """Return the largest absolute difference of each output from the expected one, by name."""
    return {
        name: float((value.float() - expected[name].float()).abs().max()) if value.numel() else 0.0
        for name, value in outputs.items()
    }
