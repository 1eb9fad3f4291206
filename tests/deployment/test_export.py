import pytest
import torch

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
from vgtoolbox.engine import ConfigError


@pytest.fixture(scope="module")
def loaded(miniature_config):
    return load_for_measurement(miniature_config, None)[0]


@pytest.fixture(scope="module")
def program(loaded):
    inputs = make_inputs(loaded, 2)
    return export_program(loaded.model, inputs, tuple(tensor_outputs(loaded.model, inputs)))


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_exported_file_agrees_with_the_model_at_another_batch_size(
    loaded, program, tmp_path, suffix
):
    if suffix == ".onnx":
        for library in ("onnx", "onnxscript", "onnxruntime"):
            pytest.importorskip(library)
    path = tmp_path / f"model{suffix}"
    inputs = make_inputs(loaded, 3)
    expected = tensor_outputs(loaded.model, inputs)
    save_program(program, path, inputs=tuple(inputs), outputs=tuple(expected))
    assert [file.name for file in tmp_path.iterdir()] == [path.name]  # weights included
    outputs = run_exported(path, inputs)
    assert {name: value.shape for name, value in outputs.items()} == {
        name: value.shape for name, value in expected.items()
    }
    assert max(largest_differences(outputs, expected).values()) < 1e-3


def test_choose_outputs():
    assert choose_outputs(("points", "boxes"), None) == ("points", "boxes")
    assert choose_outputs(("points", "boxes"), ["boxes"]) == ("boxes",)
    with pytest.raises(ConfigError, match="must be among points, boxes, got masks"):
        choose_outputs(("points", "boxes"), ["masks"])


def test_unknown_suffix(tmp_path):
    with pytest.raises(ConfigError, match=r"must end in \.pt2 or \.onnx, got '.*model\.engine'"):
        check_format(tmp_path / "model.engine")


def test_example_batch_of_one_is_rejected(loaded):
    with pytest.raises(ValueError, match="batch size of 2 or more"):
        export_program(loaded.model, make_inputs(loaded, 1), ("points",))


def test_largest_differences():
    expected = {"a": torch.zeros(2), "b": torch.zeros(0), "unused": torch.ones(1)}
    outputs = {"a": torch.tensor([0.5, -2.0]), "b": torch.zeros(0)}
    assert largest_differences(outputs, expected) == {"a": 2.0, "b": 0.0}
