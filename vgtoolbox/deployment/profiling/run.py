"""Measuring a grounder: latency, throughput, arithmetic and how near to the machine's own rate."""

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

from vgtoolbox.deployment.acceleration import Forward, Mode, accelerate
from vgtoolbox.deployment.profiling.stages import Stage, count_flops, time_stages
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
    """What one way of running took at one batch size.

    Attributes:
        what: A mode of `accelerate`, or "train step".
        batch_size: B.
        dtype: Of the arithmetic.
        rounds: How many were measured.
        p50_ms: Median latency of the batch.
        p95_ms: Its 95th percentile.
        images_per_second: By the median.
        cpu_ms: Median time of all threads together; on a CPU, what remains the same while other
            programs hold the cores.
        gflop: Arithmetic of the batch in 1e9, by torch's counter.
        gflops_per_second: Arithmetic over the median.
        gemm_gflops_per_second: Of a large matrix product, measured in turn with the model.
        share_of_gemm: Median over the rounds of the model's rate over the product's.
        share_of_gemm_by_cpu_time: The same by CPU time.
        peak_memory_mib: Of the GPU; on a CPU, of the process so far.
        largest_difference: From the outputs of the mode that it is compared with.
    """

    what: str
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
class Settings:
    """How to measure.

    Attributes:
        modes: What to run, the one to compare with last.
        dtype: float32, or a half precision.
        seconds: For each batch size.
    """

    modes: tuple[Mode, ...]
    dtype: torch.dtype = torch.float32
    seconds: float = 20.0


def measure_modes(
    loaded: LoadedGrounder, batch_sizes: Sequence[int], settings: Settings
) -> tuple[list[Measurement], dict[int, list[Stage]]]:
    """Run each mode on each batch size, in turn with each other and a matrix product.

    Returns:
        The measurements, and for each batch size the stages of an eager float32 pass.
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
    model: BaseModel, inputs: dict[str, Tensor], size: int, flops: int, settings: Settings
) -> list[Measurement]:
    device = next(model.parameters()).device
    reset_peak_memory(device)
    # Shapes are static for some modes and some change the model, so each has its own.
    forwards: dict[str, Forward] = {
        mode: accelerate(copy.deepcopy(model), mode, dtype=settings.dtype)
        for mode in settings.modes
    }
    gemm = MatrixProduct(device, settings.dtype)
    # Bound now: all of them run later, in turn.
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


def measure_training(loaded: LoadedGrounder, batch_size: int, settings: Settings) -> Measurement:
    """Time training steps, the data preprocessor included: forward, backward and optimizer.

    The arithmetic is taken as three times that of a forward pass: once forward, and backward once
    for inputs and once for weights.
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
    what: str,
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
        what=what,
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
    """Return the floating-point tensors of a `tensor` mode's dataclass, by name."""
    if not is_dataclass(output):
        raise TypeError(f"tensor mode must return a dataclass, got {type(output).__name__}")
    values = {field.name: getattr(output, field.name) for field in fields(output)}
    return {
        name: value.detach().float().clone()
        for name, value in values.items()
        if isinstance(value, Tensor) and value.is_floating_point()
    }


def largest_difference(ours: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Return the largest absolute difference of any element of any output."""
    return max(
        (
            float((ours[name] - expected[name]).abs().max())
            for name in expected
            if ours[name].numel()
        ),
        default=0.0,
    )


def _dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
