"""Choose the device, and start and end a process group on it."""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import torch
from torch import distributed as torch_distributed

from vgtoolbox.engine.rank_watch import RankWatch, Timeouts, watch_ranks

_GRACE = 60.0  # seconds between the timeout of the watch and that of torch


class DeviceError(ValueError):
    """The requested device is not available."""


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of this process.

    Args:
        name: "cpu", "cuda", "cuda:1", "mps", or "auto" for the first available one of cuda, mps and
            cpu. Under torchrun, "cuda" is the device of the local rank.

    Raises:
        DeviceError: The device is not available on this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(
            f"device must be auto, cpu, cuda, cuda:<n> or mps, got {name!r}"
        ) from error
    if device.type == "cuda":
        return _choose_cuda(device)
    if device.type == "mps" and not _has_mps():
        raise DeviceError("device 'mps' is not available in this torch; use --device cpu")
    return device


def under_torchrun() -> bool:
    """Return whether torchrun started this process."""
    return {"RANK", "LOCAL_RANK", "WORLD_SIZE"} <= os.environ.keys()


def count_processes() -> int:
    """Return the number of processes of this run, also before they are joined to a group."""
    return int(os.environ["WORLD_SIZE"]) if under_torchrun() else 1


@contextmanager
def process_group(
    device: torch.device, timeouts: Timeouts | None = None
) -> Iterator[RankWatch | None]:
    """Join the processes that torchrun started; do nothing if torchrun did not start this one.

    While the block runs, this process ends if its launcher dies, or if another process is stopped
    or hangs; the error names its rank.

    mmengine 0.10.7 starts a group by itself, but it calls `torch.cuda.set_device` even for gloo on
    CPU, and never ends the group. Its Runner does not touch a group that is already running.

    Args:
        device: Device of this process.
        timeouts: Timeouts. If `None`, the defaults are used.

    Yields:
        The watch, which notes the progress of this process; `None` if there is one process.
    """
    if not under_torchrun():
        yield None
        return
    timeouts = timeouts or Timeouts()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # DDP keeps the group in reference cycles, and the group keeps its threads. A thread that
    # acquires the interpreter's lock during the interpreter's shutdown aborts the process
    # ("terminate called without an active exception"), so the threads must end earlier.
    atexit.register(gc.collect)
    with ExitStack() as stack:
        # A launcher with a store of its own can be watched from the start.
        has_store = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
        watch = stack.enter_context(watch_ranks(timeouts)) if has_store else None
        try:
            torch_distributed.init_process_group(
                "nccl" if device.type == "cuda" else "gloo",
                # The watch names the process that hangs, so it comes first.
                timeout=timedelta(seconds=timeouts.collective + _GRACE),
            )
        except torch_distributed.DistNetworkError as error:
            raise DeviceError(
                "the processes cannot connect through MASTER_ADDR and MASTER_PORT, got "
                f"{os.environ.get('MASTER_ADDR')}:{os.environ.get('MASTER_PORT')}: {error}; if "
                "the port is in use, set MASTER_PORT to a free one"
            ) from error
        stack.callback(torch_distributed.destroy_process_group)
        if not has_store:
            watch = stack.enter_context(watch_ranks(timeouts))
        yield watch


def _choose_cuda(device: torch.device) -> torch.device:
    count = torch.cuda.device_count()
    index = device.index if device.index is not None else int(os.environ.get("LOCAL_RANK", 0))
    if index >= count:
        raise DeviceError(
            f"CUDA device must be below the number of visible GPUs ({count}), got {index}; "
            "use --device cpu, or at most one process per GPU"
        )
    return torch.device("cuda", index)


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
