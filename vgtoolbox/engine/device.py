"""The one place that chooses a device, and starts and ends a process group on it."""

from __future__ import annotations

import atexit
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed as torch_distributed


class DeviceError(ValueError):
    """A device was asked for that is not there."""


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of this process.

    Args:
        name: "cpu", "cuda", "cuda:1", "mps", or "auto" for the first that is there of cuda, mps
            and cpu. Under torchrun, "cuda" is the one that the local rank owns.

    Raises:
        DeviceError: No such device on this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if _has_mps() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"no device {name!r}; use auto, cpu, cuda, cuda:<n> or mps") from error
    if device.type == "cuda":
        return _choose_cuda(device)
    if device.type == "mps" and not _has_mps():
        raise DeviceError(
            "device 'mps' was asked for, but this torch offers none; use --device cpu"
        )
    return device


def under_torchrun() -> bool:
    """Whether torchrun started this process, so that others run beside it."""
    return {"RANK", "LOCAL_RANK", "WORLD_SIZE"} <= os.environ.keys()


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started; do nothing where there is only this one.

    mmengine 0.10.7 starts a group by itself, but calls `torch.cuda.set_device` on the way, also
    for gloo on CPU, and never ends it. Its Runner leaves a group alone that it finds running.
    """
    if not under_torchrun():
        yield
        return
    if device.type == "cuda":
        torch.cuda.set_device(device)
    # DDP holds the group in reference cycles, and the group its threads. One that asks for the
    # interpreter's lock while the interpreter is being torn down aborts the process ("terminate
    # called without an active exception"): the threads have to end before that.
    atexit.register(gc.collect)
    torch_distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        torch_distributed.destroy_process_group()


def _choose_cuda(device: torch.device) -> torch.device:
    count = torch.cuda.device_count()
    index = device.index if device.index is not None else int(os.environ.get("LOCAL_RANK", 0))
    if index >= count:
        raise DeviceError(
            f"CUDA device {index} was asked for, but this process sees {count}; "
            "use --device cpu, or as many processes as there are GPUs"
        )
    return torch.device("cuda", index)


def _has_mps() -> bool:
    return torch.backends.mps.is_available()
