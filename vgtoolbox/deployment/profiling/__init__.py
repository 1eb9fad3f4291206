"""Measuring a grounder's speed through its contract: any model of the registry, on any device."""

from vgtoolbox.deployment.profiling.report import (
    describe_machine,
    format_measurements,
    format_stages,
    write_benchmark,
)
from vgtoolbox.deployment.profiling.run import (
    Measurement,
    Settings,
    measure_modes,
    measure_training,
)
from vgtoolbox.deployment.profiling.stages import Stage, count_flops, time_stages

__all__ = [
    "Measurement",
    "Settings",
    "Stage",
    "count_flops",
    "describe_machine",
    "format_measurements",
    "format_stages",
    "measure_modes",
    "measure_training",
    "time_stages",
    "write_benchmark",
]
