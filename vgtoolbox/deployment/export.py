"""A grounder as one graph that runs without this package: torch.export and ONNX.

The graph is `tensor` mode: normalised inputs in, raw outputs out, any batch size. Thresholds,
frames and run lengths stay in Python.
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

FORMATS = (".pt2", ".onnx")
# Protobuf, in which ONNX files are written, ends at 2 GiB; larger weights lie beside the file.
_LARGEST_FILE = 1_900_000_000


class ExportableGrounder(nn.Module):
    """`tensor` mode as tensors in, tensors out, in a fixed order.

    Args:
        model: In evaluation mode.
        inputs: Names of the inputs, as `tensor` reads them.
        outputs: Names of the outputs.
    """

    def __init__(self, model: BaseModel, *, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.inputs, self.outputs = tuple(inputs), tuple(outputs)

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Run on inputs in the order of their names."""
        output = self.model.tensor(dict(zip(self.inputs, tensors, strict=True)))
        return tuple(getattr(output, name) for name in self.outputs)


def tensor_outputs(model: BaseModel, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of `tensor` mode by name, in the order of its dataclass."""
    with torch.no_grad():
        output = model.tensor(inputs)
    values = {field.name: getattr(output, field.name) for field in fields(output)}
    return {name: value for name, value in values.items() if isinstance(value, Tensor)}


def choose_outputs(available: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Return the outputs to export: those that are wanted, or all.

    Raises:
        ConfigError: The model has no such output.
    """
    unknown = sorted(set(wanted or ()) - set(available))
    if unknown:
        raise ConfigError(
            f"the model has no output {', '.join(unknown)}; it has {', '.join(available)}"
        )
    return tuple(wanted or available)


def export_program(
    model: BaseModel, inputs: Mapping[str, Tensor], outputs: Sequence[str]
) -> ExportedProgram:
    """Trace the model for any batch size.

    Args:
        model: In evaluation mode; its weights become part of the program.
        inputs: Examples, a batch of 2 or more: sizes 0 and 1 would be taken as constants.
        outputs: Names of the outputs to keep.
    """
    if model.training:
        raise ValueError("the model is in training mode; call eval() first")
    sizes = {value.shape[0] for value in inputs.values()}
    if len(sizes) != 1 or min(sizes) < 2:
        raise ValueError(
            f"example inputs must share a batch size of 2 or more, got {sorted(sizes)}"
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
    """Write a program as `.pt2` (torch.export) or `.onnx`, by the ending of the path."""
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
        external_data=weights > _LARGEST_FILE,
        dynamo=True,
        verbose=False,
    )


def check_format(path: Path) -> None:
    """Raise ConfigError where the ending is none that can be written, or its library is missing."""
    if path.suffix not in FORMATS:
        raise ConfigError(f"{path}: expected a name that ends in {' or '.join(FORMATS)}")
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if path.suffix == ".onnx" and missing:
        raise ConfigError(
            f"ONNX needs {', '.join(missing)}: pip install 'vgtoolbox[export]', or export to .pt2"
        )


def run_saved(path: str | Path, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Run a saved program on the CPU and return its outputs by name.

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


def differences(ours: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, float]:
    """Return the largest absolute difference of each output in `ours`."""
    return {
        name: float((value.float() - expected[name].float()).abs().max()) if value.numel() else 0.0
        for name, value in ours.items()
    }
