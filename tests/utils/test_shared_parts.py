"""Values of pickles that use their own parts: refused beyond what a file of their size holds."""

import pickle

import pytest

from vgtoolbox.utils.restricted_pickle import DamagedPickleError, load_restricted_pickle
from vgtoolbox.utils.shared_parts import SharedPartsError, check_shared_parts


def doubled(make, times):
    value = make(1)
    for _ in range(times):
        value = make(value, value)
    return value


MAKERS = {
    "lists": lambda *members: list(members),
    "tuples": lambda *members: members,
    "dictionaries": lambda *members: dict(enumerate(members)),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_doubled_parts_are_refused(make, tmp_path):
    with pytest.raises(SharedPartsError, match="its own parts"):
        check_shared_parts(doubled(make, 60), 1000)
    (tmp_path / "x.p").write_bytes(pickle.dumps([doubled(make, 60)]))
    with pytest.raises(DamagedPickleError, match=r"x\.p .*its own parts"):
        load_restricted_pickle(tmp_path / "x.p", arrays=True)


def test_a_list_in_itself_is_refused(tmp_path):
    loop = []
    loop.append(loop)
    (tmp_path / "x.p").write_bytes(pickle.dumps(loop))
    with pytest.raises(DamagedPickleError, match="its own parts"):
        load_restricted_pickle(tmp_path / "x.p", arrays=True)


def test_one_long_part_used_often_is_refused():
    polygon = [0.5] * 1000
    with pytest.raises(SharedPartsError):
        check_shared_parts([polygon] * 1000, 12_000)


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        [],
        {},
        [["a"] * 10] * 5000,
        [{"box": [1, 2, 3, 4], "name": "left"}] * 10_000,
        [[(1, {"a": {2, 3}}, frozenset({4}))]],
        doubled(MAKERS["lists"], 14),
    ],
    ids=lambda value: type(value).__name__,
)
def test_ordinary_values_and_a_few_shared_parts_are_read(value, tmp_path):
    (tmp_path / "x.p").write_bytes(pickle.dumps(value))
    assert load_restricted_pickle(tmp_path / "x.p", arrays=True) == value


def test_deep_nesting_is_measured():
    value = []
    for _ in range(50_000):
        value = [value]
    check_shared_parts(value, 50_000)


def test_deeper_levels_are_counted_or_left_out():
    sentences = [{"tokens": ["a"] * 10_000}] * 100
    check_shared_parts([{"sentences": sentences}], 1000, depth=2)
    check_shared_parts([{"sentences": sentences}], 1000, depth=3)
    with pytest.raises(SharedPartsError):
        check_shared_parts([{"sentences": sentences}], 1000, depth=4)
    with pytest.raises(SharedPartsError):
        check_shared_parts([{"sentences": [0] * 10_000}] * 100, 1000, depth=2)
