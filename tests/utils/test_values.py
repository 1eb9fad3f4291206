"""Descriptions of values of unknown type and size."""

import time

import pytest

from vgtoolbox.utils.values import are_numbers, describe, excerpt


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "int 5"),
        ("left", "str 'left'"),
        (None, "NoneType None"),
        ([1, 2], "list of 2"),
        ({"a": 1}, "dict of 1"),
        pytest.param(10**5000, "int an integer that is too long to print", id="long"),
    ],
)
def test_values_are_described(value, text):
    assert describe(value) == text


def test_short_values_are_shown_whole():
    for value in ([2.0, -1, "a"], {"a": [1, (2, 3)], "b": None}, "x" * 90, [[0.5] * 8]):
        assert excerpt(value) == repr(value)


def test_long_values_are_cut():
    assert len(excerpt(list(range(1000)))) == 99
    assert excerpt("y" * 1000, 20).startswith("'yyy")


def test_values_that_share_parts_are_described_at_once():
    value = ()
    for _ in range(100):
        value = (value, value)
    started = time.perf_counter()
    assert "..." in excerpt(value)
    assert time.perf_counter() - started < 1


def test_numbers():
    assert are_numbers([1, 2.5])
    assert not are_numbers([1, True])
    assert not are_numbers([1, "2"])
