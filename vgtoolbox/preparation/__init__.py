"""Set up benchmarks in the layout of their official pages, check them and repair them."""

from vgtoolbox.preparation.benchmark import Benchmark, Counts, Split
from vgtoolbox.preparation.catalog import BENCHMARKS
from vgtoolbox.preparation.checks import Problem, check_benchmark
from vgtoolbox.preparation.leaks import Leak, find_leaks
from vgtoolbox.preparation.repair import Repair, repair_benchmark
from vgtoolbox.preparation.setup import PlacedFolder, setup_benchmark

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "Counts",
    "Leak",
    "PlacedFolder",
    "Problem",
    "Repair",
    "Split",
    "check_benchmark",
    "find_leaks",
    "repair_benchmark",
    "setup_benchmark",
]
