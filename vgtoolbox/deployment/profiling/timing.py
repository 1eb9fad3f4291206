"""Time several functions in turn, so that other load on the machine affects all of them equally."""

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
    """Wall and CPU seconds of each round.

    Attributes:
        wall: Wall time in seconds.
        cpu: CPU time of all threads of the process in seconds. It excludes the time that other
            programs occupy the cores, and includes threads that wait in a busy loop.
    """

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    def percentile(self, percentage: float) -> float:
        """Return a percentile (0..100) of the wall time in seconds."""
        return float(np.percentile(self.wall, percentage))


def time_in_turn(
    functions: Mapping[str, Callable[[], object]], device: torch.device, *, seconds: float
) -> dict[str, Timing]:
    """Call each function once per round, after one warm-up round that is not timed.

    Args:
        functions: Functions to time, by name.
        device: Device to synchronize before the clock is read.
        seconds: Time after which no further round begins. At least `MIN_ROUNDS` and at most
            `MAX_ROUNDS` rounds are run.
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
    """Return wall and CPU seconds of one call, including the work that it queued on the device."""
    synchronize(device)
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    synchronize(device)
    return time.perf_counter() - wall, time.process_time() - cpu


def synchronize(device: torch.device) -> None:
    """Wait until the device has finished its queued work; does nothing on a CPU."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


class MatrixProduct:
    """Product of two large square matrices, the reference for the rate that a machine reaches.

    Args:
        device: Device of the matrices.
        dtype: Data type of the matrices.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        side = 2048 if device.type == "cpu" else 8192
        self._repeats = 3
        self._a, self._b = (torch.randn(side, side, device=device, dtype=dtype) for _ in "ab")
        self._out = torch.empty_like(self._a)
        self.flops = 2 * side**3 * self._repeats

    def __call__(self) -> None:
        """Compute the product `_repeats` times."""
        with torch.no_grad():
            for _ in range(self._repeats):
                torch.mm(self._a, self._b, out=self._out)


def reset_peak_memory(device: torch.device) -> None:
    """Reset the peak memory counter of a GPU; that of a process cannot be reset."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory_mib(device: torch.device) -> float | None:
    """Return the peak memory in MiB: allocated on a GPU, or resident of the process on a CPU.

    `None` on Windows without a GPU, which has no such counter.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "win32":
        return None
    import resource  # missing on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10  # bytes on macOS, else KiB
