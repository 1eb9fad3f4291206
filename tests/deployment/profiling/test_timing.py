import time

import pytest
import torch

from vgtoolbox.deployment.profiling.timing import (
    MIN_ROUNDS,
    MatrixProduct,
    Timing,
    peak_memory_mib,
    time_in_turn,
)

CPU = torch.device("cpu")


def test_functions_are_called_in_turn_after_a_warm_up_round():
    calls = []
    timings = time_in_turn(
        {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, CPU, seconds=0
    )
    assert calls == ["a", "b"] * (MIN_ROUNDS + 1)
    assert len(timings["a"].wall) == len(timings["b"].cpu) == MIN_ROUNDS


def test_sleeping_counts_as_wall_time_but_not_as_cpu_time():
    timing = time_in_turn({"sleep": lambda: time.sleep(0.05)}, CPU, seconds=0)["sleep"]
    assert min(timing.wall) >= 0.05
    assert sorted(timing.cpu)[1] < 0.05


def test_percentiles():
    timing = Timing(wall=tuple(float(i) for i in range(101)), cpu=(0.0,) * 101)
    assert (timing.percentile(50), timing.percentile(95)) == (50.0, 95.0)


def test_flop_count_of_the_matrix_product():
    product = MatrixProduct(CPU, torch.float32)
    assert product.flops == 3 * 2 * 2048**3


def test_peak_memory_of_the_process():
    assert peak_memory_mib(CPU) == pytest.approx(peak_memory_mib(CPU), rel=0.1)
    assert peak_memory_mib(CPU) > 50  # torch alone is more
