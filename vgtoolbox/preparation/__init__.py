"""Set up benchmarks in the layout of their official pages, check them and repair them."""

from vgtoolbox.preparation.benchmark import Benchmark, Counts, Split
from vgtoolbox.preparation.catalogue import BENCHMARKS
from vgtoolbox.preparation.checks import Fault, check_benchmark
from vgtoolbox.preparation.leaks import Leak, find_leaks
from vgtoolbox.preparation.repair import repair_benchmark
from vgtoolbox.preparation.setup import arrange

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
    "repair_benchmark",
]
