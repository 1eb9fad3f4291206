"""Format measurements as tables and write them as JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from vgtoolbox.deployment.profiling.run import Measurement
from vgtoolbox.deployment.profiling.stages import StageTiming
from vgtoolbox.utils.atomic_file import atomic_file

_WIDTH = 120


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Return the device, thread count and torch version that measurements depend on."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name()
    return {
        "device": str(device),
        "name": name,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def write_benchmark(
    path: str | os.PathLike[str],
    *,
    config: str,
    machine: Mapping[str, Any],
    measurements: Sequence[Measurement],
    stages: Mapping[int, Sequence[StageTiming]],
) -> None:
    """Write measurements and stage timings as JSON, atomically.

    Args:
        path: Path of the file.
        config: Path or name of the measured config.
        machine: Description from `describe_machine`.
        measurements: One per mode and batch size.
        stages: Stage timings by batch size.
    """
    content = {
        "config": config,
        "machine": dict(machine),
        "measurements": [asdict(measurement) for measurement in measurements],
        "stages": {str(size): [asdict(stage) for stage in each] for size, each in stages.items()},
    }
    with atomic_file(path) as file:
        file.write((json.dumps(content, indent=2) + "\n").encode())


def format_measurements(measurements: Sequence[Measurement]) -> str:
    """Format measurements as a text table with one row each."""
    table = Table(title="latency and throughput", title_justify="left")
    for heading in ("mode", "batch", "dtype", "p50 ms", "p95 ms", "CPU ms", "img/s", "GFLOP"):
        table.add_column(heading, justify="left" if heading == "mode" else "right")
    for heading in ("GFLOP/s", "gemm", "share", "by CPU", "MiB", "difference"):
        table.add_column(heading, justify="right")
    for each in measurements:
        difference, memory = each.largest_difference, each.peak_memory_mib
        table.add_row(
            each.mode,
            str(each.batch_size),
            each.dtype,
            *(f"{ms:.4g}" for ms in (each.p50_ms, each.p95_ms, each.cpu_ms)),
            f"{each.images_per_second:.3g}",
            f"{each.gflop:.4g}",
            f"{each.gflops_per_second:.4g}",
            f"{each.gemm_gflops_per_second:.4g}",
            f"{each.share_of_gemm:.0%}",
            f"{each.share_of_gemm_by_cpu_time:.0%}",
            "" if memory is None else f"{memory:.0f}",
            "" if difference is None else f"{difference:.1e}",
        )
    return _as_text(table)


def format_stages(batch_size: int, stages: Sequence[StageTiming]) -> str:
    """Format the stage timings of one batch size as a text table."""
    total = sum(stage.milliseconds for stage in stages)
    table = Table(title=f"stages at batch {batch_size}, eager", title_justify="left")
    table.add_column("stage")
    for heading in ("ms", "of time", "GFLOP", "of gemm rate"):
        table.add_column(heading, justify="right")
    for stage in stages:
        table.add_row(
            stage.name,
            f"{stage.milliseconds:.4g}",
            f"{stage.milliseconds / total:.1%}" if total else "",
            f"{stage.gflop:.3g}" if stage.gflop else "",
            f"{stage.share_of_gemm:.0%}" if stage.gflop else "",
        )
    return _as_text(table)


def _as_text(table: Table) -> str:
    console = Console(file=StringIO(), width=_WIDTH)
    console.print(table)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def _cpu_name() -> str:
    """Return the CPU model name from /proc/cpuinfo, or Python's description of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
