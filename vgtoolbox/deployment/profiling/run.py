"""Measure latency, throughput, FLOP counts and hardware utilization of a grounder."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope
from torch import Tensor

from vgtoolbox.deployment.acceleration import AccelerationMode, Forward, accelerate
from vgtoolbox.deployment.profiling.stages import StageTiming, count_flops, time_stages
from vgtoolbox.deployment.profiling.timing import (
    MatrixProduct,
    Timing,
    peak_memory_mib,
    reset_peak_memory,
    time_in_turn,
)
from vgtoolbox.deployment.profiling.workload import make_batch
from vgtoolbox.inference.loading import LoadedGrounder
from vgtoolbox.registry import SCOPE

GEMM = "matrix product"


@dataclass(frozen=True)
class Measurement:
    """Speed of one mode at one batch size.

    Attributes:
        mode: Acceleration mode, or "train step".
        batch_size: Batch size B.
        dtype: Data type of the arithmetic.
        rounds: Number of timed rounds.
        p50_ms: Median latency of the batch in ms.
        p95_ms: 95th percentile of the latency in ms.
        images_per_second: Throughput at the median latency.
        cpu_ms: Median CPU time of all threads together in ms. On a CPU it does not change when
            other programs occupy the cores.
        gflop: Floating-point operations of the batch in 1e9, from torch's counter.
        gflops_per_second: `gflop` divided by the median latency.
        gemm_gflops_per_second: Rate of a large matrix product, timed in turn with the model.
        share_of_gemm: Median over the rounds of the model's rate divided by the matrix product's.
        share_of_gemm_by_cpu_time: `share_of_gemm` computed from CPU time.
        peak_memory_mib: Peak memory of the GPU in MiB; on a CPU, of the process so far. `None` if
            it cannot be measured.
        largest_difference: Largest absolute difference from the outputs of the reference mode.
            `None` without a reference.
    """

    mode: str
    batch_size: int
    dtype: str
    rounds: int
    p50_ms: float
    p95_ms: float
    images_per_second: float
    cpu_ms: float
    gflop: float
    gflops_per_second: float
    gemm_gflops_per_second: float
    share_of_gemm: float
    share_of_gemm_by_cpu_time: float
    peak_memory_mib: float | None
    largest_difference: float | None = None


@dataclass(frozen=True)
class ProfilingSettings:
    """Settings of a measurement.

    Attributes:
        modes: Modes to measure. The last one is the reference of the comparison.
        dtype: float32 or a half precision.
        seconds: Time limit of each batch size in seconds.
    """

    modes: tuple[AccelerationMode, ...]
    dtype: torch.dtype = torch.float32
    seconds: float = 20.0


def measure_modes(
    loaded: LoadedGrounder, batch_sizes: Sequence[int], settings: ProfilingSettings
) -> tuple[list[Measurement], dict[int, list[StageTiming]]]:
    """Time the modes in turn with each other and with a matrix product, for each batch size.

    Args:
        loaded: Model with its pipeline. It is set to evaluation mode; its weights do not change.
        batch_sizes: Batch sizes to measure.
        settings: Modes, data type and time limit.

    Returns:
        The measurements, and by batch size the stage timings of an eager float32 pass.
    """
    model = loaded.model.eval()
    device = next(model.parameters()).device
    inputs, batches, flops = {}, {}, {}
    for size in batch_sizes:
        batches[size] = make_batch(loaded, size)
        with torch.no_grad():
            inputs[size] = model.data_preprocessor(batches[size])["inputs"]
        flops[size] = count_flops(model, inputs[size])[""]
    gemm = MatrixProduct(device, torch.float32)
    gemm_rate = gemm.flops / time_in_turn({GEMM: gemm}, device, seconds=0)[GEMM].percentile(50)
    stages = {size: time_stages(model, batch, gemm_rate) for size, batch in batches.items()}
    results: list[Measurement] = []
    for size in batch_sizes:
        results += _measure_batch(model, inputs[size], size, flops[size], settings)
    return results, stages


def _measure_batch(
    model: BaseModel, inputs: dict[str, Tensor], size: int, flops: int, settings: ProfilingSettings
) -> list[Measurement]:
    device = next(model.parameters()).device
    reset_peak_memory(device)
    # Some modes need static shapes and some change the model, so each mode gets its own copy.
    forwards: dict[str, Forward] = {
        mode: accelerate(copy.deepcopy(model), mode, dtype=settings.dtype)
        for mode in settings.modes
    }
    gemm = MatrixProduct(device, settings.dtype)
    # `forward` is bound by a default, since all calls run after this loop has ended.
    calls: dict[str, Callable[[], object]] = {
        mode: lambda forward=forward: forward(inputs)  # type: ignore[misc]
        for mode, forward in forwards.items()
    }
    timings = time_in_turn({GEMM: gemm, **calls}, device, seconds=settings.seconds)
    dtype = _dtype_name(settings.dtype)
    results = [
        _summarize(mode, size, dtype, timings[mode], flops, timings[GEMM], gemm.flops, device)
        for mode in forwards
    ]
    if len(forwards) < 2:
        return results
    *_, reference = forwards.values()
    expected = _outputs(reference(inputs))
    return [
        replace(result, largest_difference=largest_difference(_outputs(forward(inputs)), expected))
        for result, forward in zip(results, forwards.values(), strict=True)
    ]


def measure_training(
    loaded: LoadedGrounder, batch_size: int, settings: ProfilingSettings
) -> Measurement:
    """Time training steps: data preprocessor, forward, backward and optimizer.

    The FLOP count is taken as three times that of a forward pass: one forward, and two backward
    for the gradients of inputs and of weights.

    Args:
        loaded: Model with its pipeline and an `optim_wrapper` in its config. It is not changed.
        batch_size: Batch size B.
        settings: Data type and time limit; the modes are not used.
    """
    model = copy.deepcopy(loaded.model)
    device = next(model.parameters()).device
    batch = make_batch(loaded, batch_size)
    with torch.no_grad():
        inputs = model.eval().data_preprocessor(batch)["inputs"]
    flops = 3 * count_flops(model, inputs)[""]
    model.train()
    config = dict(loaded.config["optim_wrapper"])
    if settings.dtype != torch.float32:
        config |= {"type": "AutocastOptimWrapper", "dtype": _dtype_name(settings.dtype)}
    with DefaultScope.overwrite_default_scope(SCOPE):
        optim_wrapper = build_optim_wrapper(model, config)
    gemm = MatrixProduct(device, settings.dtype)
    reset_peak_memory(device)
    functions: dict[str, Callable[[], object]] = {
        GEMM: gemm,
        "train step": lambda: model.train_step(batch, optim_wrapper),
    }
    timings = time_in_turn(functions, device, seconds=settings.seconds)
    return _summarize(
        "train step",
        batch_size,
        _dtype_name(settings.dtype),
        timings["train step"],
        flops,
        timings[GEMM],
        gemm.flops,
        device,
    )


def _summarize(
    mode: str,
    batch_size: int,
    dtype: str,
    timing: Timing,
    flops: int,
    gemm: Timing,
    gemm_flops: int,
    device: torch.device,
) -> Measurement:
    p50 = timing.percentile(50)
    arithmetic = flops / gemm_flops
    return Measurement(
        mode=mode,
        batch_size=batch_size,
        dtype=dtype,
        rounds=len(timing.wall),
        p50_ms=1e3 * p50,
        p95_ms=1e3 * timing.percentile(95),
        images_per_second=batch_size / p50,
        cpu_ms=1e3 * statistics.median(timing.cpu),
        gflop=flops / 1e9,
        gflops_per_second=flops / p50 / 1e9,
        gemm_gflops_per_second=gemm_flops / gemm.percentile(50) / 1e9,
        share_of_gemm=arithmetic * _median_ratio(gemm.wall, timing.wall),
        share_of_gemm_by_cpu_time=arithmetic * _median_ratio(gemm.cpu, timing.cpu),
        peak_memory_mib=peak_memory_mib(device),
    )


def _median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    return statistics.median(a / b for a, b in zip(numerators, denominators, strict=True))


def _outputs(output: Any) -> dict[str, Tensor]:
    """Return the floating-point tensors in the dataclass that `tensor` mode returned, by name."""
    if not is_dataclass(output):
        raise TypeError(f"tensor mode must return a dataclass, got {type(output).__name__}")
    values = {field.name: getattr(output, field.name) for field in fields(output)}
    return {
        name: value.detach().float().clone()
        for name, value in values.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }


def largest_difference(outputs: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Return the largest absolute difference over all elements of all outputs."""
    return max(
        (
            float((outputs[name] - expected[name]).abs().max())
            for name in expected
            if outputs[name].numel()
        ),
        default=0.0,
    )


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
