import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.preparation.targets import find_target_problems, repair_target

SIZE = (40, 60)
SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]


def target(box=(10, 10, 20, 20), segmentation=None):
    return {"bbox": list(box), "segmentation": segmentation, "ann_id": 1}


def kinds(*arguments):
    return [kind for kind, _ in find_target_problems(target(*arguments), SIZE)]


CASES = {
    "valid": ((10, 10, 20, 20), [SQUARE], []),
    "box without mask": ((10, 10, 20, 20), None, []),
    "within the tolerance": ((-0.5, 0, 60.9, 40.4), None, []),
    "no width": ((10, 10, 0, 20), [SQUARE], ["box-empty"]),
    "outside": ((50, 10, 20, 20), None, ["box-outside"]),
    "two points": ((10, 10, 20, 20), [SQUARE, [1, 2, 3, 4]], ["polygon-broken"]),
    "half a point": ((10, 10, 20, 20), [[*SQUARE, 3]], ["polygon-broken"]),
    "not a number": ((10, 10, 20, 20), [[*SQUARE[:-1], float("nan")]], ["polygon-broken"]),
    "polygon outside": ((10, 10, 20, 20), [[10, 10, 90, 10, 90, 30]], ["polygon-outside"]),
    "no polygon": ((10, 10, 20, 20), [], ["mask-empty"]),
    "another size": ((10, 10, 20, 20), {"size": [4, 4], "counts": [16]}, ["rle-broken"]),
    "too few runs": ((10, 10, 20, 20), {"size": [40, 60], "counts": [7]}, ["rle-broken"]),
    "no pixel": ((10, 10, 20, 20), {"size": [40, 60], "counts": [2400]}, ["mask-empty"]),
    "elsewhere": ((40, 10, 20, 20), [SQUARE], ["box-mask"]),
}


@pytest.mark.parametrize(("box", "segmentation", "expected"), CASES.values(), ids=list(CASES))
def test_problems_of_a_target(box, segmentation, expected):
    assert kinds(box, segmentation) == expected


def test_box_of_a_thin_mask_is_not_compared():
    thin = [[10.2, 10.2, 12.2, 10.2, 12.2, 30.0, 10.2, 30.0]]
    assert kinds((10.9, 10, 0.8, 20), thin) == []


def test_box_is_recomputed_from_the_mask():
    for box in ((10, 10, 0, 20), (50, 10, 20, 20), (40, 10, 20, 20)):
        repaired, changes = repair_target(target(box, [SQUARE]), SIZE)
        assert repaired["bbox"] == [10, 10, 20, 20]
        assert changes == ["box recomputed from the mask"]


def test_box_without_mask_is_clipped_at_the_border():
    repaired, changes = repair_target(target((50, 30, 20, 20)), SIZE)
    assert repaired["bbox"] == [50, 30, 10, 10]
    assert changes == ["box clipped at the image border"]


def test_broken_polygons_are_dropped_and_others_clipped():
    repaired, changes = repair_target(target(segmentation=[[1, 2, 3, 4], SQUARE]), SIZE)
    assert repaired["segmentation"] == [SQUARE]
    assert changes == ["broken polygon dropped"]
    repaired, _ = repair_target(target((40, 0, 20, 40), [[40, 0, 90, 0, 90, 40, 40, 50]]), SIZE)
    assert repaired["segmentation"] == [[40, 0, 60, 0, 60, 40, 40, 40]]


@pytest.mark.parametrize("case", ["no pixel", "too few runs", "another size", "no polygon"])
def test_target_without_a_valid_mask_is_dropped(case):
    repaired, changes = repair_target(target(*CASES[case][:2]), SIZE)
    assert repaired is None
    assert changes[-1].startswith("dropped")


def test_valid_target_is_unchanged():
    valid = target(segmentation=[SQUARE])
    assert repair_target(valid, SIZE) == (valid, [])


number = st.floats(-80, 120, width=32) | st.integers(-80, 120)


@given(
    st.tuples(number, number, number, number),
    st.none() | st.lists(st.lists(number, max_size=12), max_size=3),
)
def test_repaired_target_has_no_problems(box, segmentation):
    repaired, _ = repair_target(target(box, segmentation), SIZE)
    if repaired is not None:
        assert not list(find_target_problems(repaired, SIZE))
