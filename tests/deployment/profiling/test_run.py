import json

import pytest
import torch

from vgtoolbox.deployment.profiling import (
    ProfilingSettings,
    count_flops,
    describe_machine,
    format_measurements,
    format_stages,
    measure_modes,
    measure_training,
    write_benchmark,
)
from vgtoolbox.deployment.profiling.run import largest_difference
from vgtoolbox.deployment.profiling.stages import POSTPROCESSING, PREPROCESSOR
from vgtoolbox.deployment.profiling.timing import MatrixProduct
from vgtoolbox.deployment.profiling.workload import load_for_measurement, make_inputs


@pytest.fixture(autouse=True)
def _small_product(monkeypatch):
    """Replace the reference matrix product by a small one."""

    def small(self, device, dtype):
        self._repeats = 1
        self._a = self._b = torch.ones(8, 8, dtype=dtype, device=device)
        self._out = torch.empty_like(self._a)
        self.flops = 2 * 8**3

    monkeypatch.setattr(MatrixProduct, "__init__", small)


@pytest.fixture(scope="module")
def loaded(miniature_config):
    optimizer = {"type": "SGD", "lr": 0.1}
    options = {"optim_wrapper": {"type": "OptimWrapper", "optimizer": optimizer}}
    return load_for_measurement(miniature_config, None, options)[0]


def test_flops_of_the_parts_sum_to_those_of_the_model(loaded):
    one, two = (count_flops(loaded.model, make_inputs(loaded, size)) for size in (1, 2))
    assert two == {name: 2 * flops for name, flops in one.items()}
    # A 1 x 1 convolution from 16 to 16 channels over a 4 x 4 grid of patches.
    assert one["image_proj"] == 2 * 16 * 16 * 16
    parts = sum(flops for name, flops in one.items() if name)
    assert parts == pytest.approx(one[""], rel=0.01)


def test_modes_are_measured_and_compared(loaded, tmp_path):
    settings = ProfilingSettings(("fused", "eager"), seconds=0)
    measurements, stages = measure_modes(loaded, [2], settings)
    fused, eager = measurements
    assert (fused.mode, eager.mode, fused.batch_size) == ("fused", "eager", 2)
    assert fused.largest_difference < 1e-4
    assert eager.largest_difference == 0
    assert 0 < eager.p50_ms <= eager.p95_ms
    assert eager.images_per_second == pytest.approx(2e3 / eager.p50_ms)
    assert eager.gflops_per_second == pytest.approx(eager.gflop / eager.p50_ms * 1e3)
    names = [stage.name for stage in stages[2]]
    assert (names[0], names[-1]) == (PREPROCESSOR, POSTPROCESSING)
    assert {"backbone", "pixel_decoder", "decoder"} < set(names)
    write_benchmark(
        tmp_path / "b.json",
        config="c.py",
        machine=describe_machine(torch.device("cpu")),
        measurements=measurements,
        stages=stages,
    )
    written = json.loads((tmp_path / "b.json").read_text())
    assert written["measurements"][0]["p50_ms"] == fused.p50_ms
    assert written["stages"]["2"][0]["name"] == PREPROCESSOR
    assert "fused" in format_measurements(measurements)
    assert "backbone" in format_stages(2, stages[2])


def test_measuring_does_not_change_the_model(loaded):
    before = {name: value.clone() for name, value in loaded.model.state_dict().items()}
    measure_modes(loaded, [1], ProfilingSettings(("fused",), seconds=0))
    measure_training(loaded, 1, ProfilingSettings(("eager",), seconds=0))
    after = loaded.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(value, after[name]) for name, value in before.items())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_training_steps(loaded, dtype):
    step = measure_training(loaded, 2, ProfilingSettings(("eager",), dtype=dtype, seconds=0))
    assert (step.mode, step.batch_size) == ("train step", 2)
    assert step.p50_ms > 0
    forward = count_flops(loaded.model, make_inputs(loaded, 2))[""]
    assert step.gflop == pytest.approx(3 * forward / 1e9)


def test_largest_difference():
    zeros = {"a": torch.zeros(2), "b": torch.zeros(1)}
    assert largest_difference({"a": torch.tensor([1.0, -3.0]), "b": torch.ones(1)}, zeros) == 3.0
    assert largest_difference({}, {}) == 0.0
