"""Timing of several functions in turn, so that what else a machine does hits all of them alike."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

MIN_ROUNDS, MAX_ROUNDS = 3, 200


@dataclass(frozen=True)
class Timing:
    """Seconds of each round.

    Attributes:
        wall: By the clock.
        cpu: Of all threads of the process. While other programs hold the cores, this is what the
            work itself took; threads that wait for each other in a loop count as well.
    """

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    def percentile(self, share: float) -> float:
        """Return a percentile of the wall time, 0..100, in seconds."""
        return float(np.percentile(self.wall, share))


def time_in_turn(
    functions: Mapping[str, Callable[[], object]], device: torch.device, *, seconds: float
) -> dict[str, Timing]:
    """Call each function once a round, one after the other, after a round to warm up.

    Args:
        functions: By name.
        device: What to wait for before the clock is read.
        seconds: No further round begins after that; at least `MIN_ROUNDS` are made.
    """
    for function in functions.values():
        time_once(function, device)
    rounds: dict[str, list[tuple[float, float]]] = {name: [] for name in functions}
    begin, count = time.perf_counter(), 0
    while count < MIN_ROUNDS or (time.perf_counter() - begin < seconds and count < MAX_ROUNDS):
        for name, function in functions.items():
            rounds[name].append(time_once(function, device))
        count += 1
    return {
        name: Timing(wall=tuple(wall for wall, _ in times), cpu=tuple(cpu for _, cpu in times))
        for name, times in rounds.items()
    }


def time_once(function: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Return wall and CPU seconds of one call, the device's work included."""
    synchronize(device)
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    synchronize(device)
    return time.perf_counter() - wall, time.process_time() - cpu


def synchronize(device: torch.device) -> None:
    """Wait until the device has done what it was given; a CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


class MatrixProduct:
    """The product of two square matrices: the rate that the machine's own library reaches.

    Args:
        device: Where.
        dtype: Of the matrices.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        side = 2048 if device.type == "cpu" else 8192
        self._repeats = 3
        self._a, self._b = (torch.randn(side, side, device=device, dtype=dtype) for _ in "ab")
        self._out = torch.empty_like(self._a)
        self.flops = 2 * side**3 * self._repeats

    def __call__(self) -> None:
        """Multiply."""
        with torch.no_grad():
            for _ in range(self._repeats):
                torch.mm(self._a, self._b, out=self._out)


def reset_peak_memory(device: torch.device) -> None:
    """Begin to count the peak of a GPU's memory anew; that of a process cannot be."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mib(device: torch.device) -> float | None:
    """Return the peak of allocated GPU memory, or of the process's memory on a CPU, in MiB."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        return None
    import resource  # not there on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes there, KiB here
