"""Measure the speed of any registered grounder on any device."""

from vgtoolbox.deployment.profiling.report import (
    describe_machine,
    format_measurements,
    format_stages,
    write_benchmark,
)
from vgtoolbox.deployment.profiling.run import (
    Measurement,
    ProfilingSettings,
    measure_modes,
    measure_training,
)
from vgtoolbox.deployment.profiling.stages import StageTiming, count_flops, time_stages

__all__ = [
    "Measurement",
    "ProfilingSettings",
    "StageTiming",
    "count_flops",
    "describe_machine",
    "format_measurements",
    "format_stages",
    "measure_modes",
    "measure_training",
    "time_stages",
    "write_benchmark",
]
