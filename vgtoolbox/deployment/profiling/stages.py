"""Count FLOPs and measure time of a forward pass by the model's direct submodules."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vgtoolbox.deployment.profiling.timing import synchronize, time_once

_PASSES = 3
REST, PREPROCESSOR, POSTPROCESSING = "(between them)", "data_preprocessor", "postprocessing"


@dataclass(frozen=True)
class StageTiming:
    """Time and FLOP count of one part of the model.

    Attributes:
        name: Attribute name of the submodule; "(between them)" is the time outside of submodules.
        milliseconds: Median time of the whole batch over a few eager passes, in ms.
        gflop: Multiplications and additions in 1e9; 0 if torch counts none.
        share_of_gemm: Rate of the part divided by that of a matrix product.
    """

    name: str
    milliseconds: float
    gflop: float
    share_of_gemm: float


def count_flops(model: BaseModel, inputs: Mapping[str, Tensor]) -> dict[str, int]:
    """Count the multiplications and additions of `tensor` mode with torch's counter.

    Args:
        model: Grounder.
        inputs: Batched inputs of `tensor` mode.

    Returns:
        Counts by submodule, and the total under the empty name. Matrix products, convolutions and
        attention are counted, elementwise operations are not.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(inputs, mode="tensor")
    counts = counter.get_flop_counts()
    root = type(model).__name__
    parts = {
        name: sum(counts.get(f"{root}.{name}", {}).values()) for name, _ in model.named_children()
    }
    return {name: flops for name, flops in parts.items() if flops} | {"": counter.get_total_flops()}


def time_stages(
    model: BaseModel, batch: dict[str, Any], gemm_flops_per_second: float
) -> list[StageTiming]:
    """Time the parts of an eager model, from the collated batch to predictions.

    Args:
        model: Grounder in evaluation mode.
        batch: Collated batch, before the data preprocessor.
        gemm_flops_per_second: Rate of a matrix product on the model's device.

    Returns:
        The parts in the order of their first call.
    """
    device = next(model.parameters()).device
    passes: list[dict[str, float]] = []
    with torch.no_grad():
        inputs = model.data_preprocessor(batch)["inputs"]
        flops = count_flops(model, inputs)
        for _ in range(_PASSES):
            passes.append(_time_pass(model, batch, device))
    names = sorted({name for times in passes for name in times}, key=list(passes[0]).index)
    stages = []
    for name in names:
        seconds = statistics.median(times[name] for times in passes)
        count = flops.get(name, 0)
        rate = count / seconds / gemm_flops_per_second if seconds else 0.0
        stages.append(StageTiming(name, 1e3 * seconds, count / 1e9, rate))
    return stages


def _time_pass(model: BaseModel, batch: dict[str, Any], device: torch.device) -> dict[str, float]:
    """Return the seconds of each stage in one pass, in the order of the first calls."""
    prepared: dict[str, Any] = {}
    times = {
        PREPROCESSOR: time_once(lambda: prepared.update(model.data_preprocessor(batch)), device)[0]
    }
    inputs, samples = prepared["inputs"], prepared["data_samples"]
    with _clocked_children(model, device) as children:
        whole = time_once(lambda: model(inputs, mode="tensor"), device)[0]
    times |= children
    times[REST] = max(whole - sum(children.values()), 0.0)
    predicted = time_once(lambda: model(inputs, samples, mode="predict"), device)[0]
    times[POSTPROCESSING] = max(predicted - whole, 0.0)
    return times


@contextmanager
def _clocked_children(model: nn.Module, device: torch.device) -> Iterator[dict[str, float]]:
    """Sum the seconds of the calls of each direct child while the context is active."""
    times: dict[str, float] = {}
    begins: dict[str, float] = {}
    handles = []
    for name, child in model.named_children():

        def begin(*_: Any, name: str = name) -> None:
            synchronize(device)
            begins[name] = time.perf_counter()

        def end(*_: Any, name: str = name) -> None:
            synchronize(device)
            times[name] = times.get(name, 0.0) + time.perf_counter() - begins[name]

        handles += [child.register_forward_pre_hook(begin), child.register_forward_hook(end)]
    try:
        yield times
    finally:
        for handle in handles:
            handle.remove()
