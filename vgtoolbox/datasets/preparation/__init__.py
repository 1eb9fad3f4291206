"""Getting benchmarks onto the disk as their official pages describe them, and checking them."""

from vgtoolbox.datasets.preparation.arranging import arrange
from vgtoolbox.datasets.preparation.benchmark import Benchmark, Counts, Split
from vgtoolbox.datasets.preparation.catalogue import BENCHMARKS
from vgtoolbox.datasets.preparation.checks import Fault, check_benchmark
from vgtoolbox.datasets.preparation.leaks import Leak, find_leaks
from vgtoolbox.datasets.preparation.mending import mend_benchmark

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "Counts",
    "Fault",
    "Leak",
    "Split",
    "arrange",
    "check_benchmark",
    "find_leaks",
    "mend_benchmark",
]
