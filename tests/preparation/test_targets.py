import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.preparation.targets import mend_target, target_faults

SIZE = (40, 60)
SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]


def target(box=(10, 10, 20, 20), segmentation=None):
    return {"bbox": list(box), "segmentation": segmentation, "ann_id": 1}


def kinds(*arguments):
    return [kind for kind, _ in target_faults(target(*arguments), SIZE)]


CASES = {
    "right": ((10, 10, 20, 20), [SQUARE], []),
    "a box alone": ((10, 10, 20, 20), None, []),
    "a hair outside": ((-0.5, 0, 60.9, 40.4), None, []),
    "no width": ((10, 10, 0, 20), [SQUARE], ["box-empty"]),
    "outside": ((50, 10, 20, 20), None, ["box-outside"]),
    "two points": ((10, 10, 20, 20), [SQUARE, [1, 2, 3, 4]], ["polygon-broken"]),
    "half a point": ((10, 10, 20, 20), [[*SQUARE, 3]], ["polygon-broken"]),
    "no number": ((10, 10, 20, 20), [[*SQUARE[:-1], float("nan")]], ["polygon-broken"]),
    "polygon outside": ((10, 10, 20, 20), [[10, 10, 90, 10, 90, 30]], ["polygon-outside"]),
    "no polygon": ((10, 10, 20, 20), [], ["mask-empty"]),
    "another size": ((10, 10, 20, 20), {"size": [4, 4], "counts": [16]}, ["rle-broken"]),
    "too few runs": ((10, 10, 20, 20), {"size": [40, 60], "counts": [7]}, ["rle-broken"]),
    "no pixel": ((10, 10, 20, 20), {"size": [40, 60], "counts": [2400]}, ["mask-empty"]),
    "elsewhere": ((40, 10, 20, 20), [SQUARE], ["box-mask"]),
}


@pytest.mark.parametrize(("box", "segmentation", "expected"), CASES.values(), ids=list(CASES))
def test_names_what_is_wrong(box, segmentation, expected):
    assert kinds(box, segmentation) == expected


def test_a_thin_mask_may_differ_from_its_box():
    thin = [[10.2, 10.2, 12.2, 10.2, 12.2, 30.0, 10.2, 30.0]]
    assert kinds((10.9, 10, 0.8, 20), thin) == []


def test_a_mask_tells_its_box():
    for box in ((10, 10, 0, 20), (50, 10, 20, 20), (40, 10, 20, 20)):
        mended, done = mend_target(target(box, [SQUARE]), SIZE)
        assert mended["bbox"] == [10, 10, 20, 20]
        assert done == ["box taken from the mask"]


def test_a_box_alone_is_cut_at_the_border():
    mended, done = mend_target(target((50, 30, 20, 20)), SIZE)
    assert mended["bbox"] == [50, 30, 10, 10]
    assert done == ["box cut at the image's border"]


def test_broken_polygons_are_dropped_and_the_others_cut():
    mended, done = mend_target(target(segmentation=[[1, 2, 3, 4], SQUARE]), SIZE)
    assert mended["segmentation"] == [SQUARE]
    assert done == ["broken polygon dropped"]
    mended, _ = mend_target(target((40, 0, 20, 40), [[40, 0, 90, 0, 90, 40, 40, 50]]), SIZE)
    assert mended["segmentation"] == [[40, 0, 60, 0, 60, 40, 40, 40]]


@pytest.mark.parametrize("case", ["no pixel", "too few runs", "another size", "no polygon"])
def test_what_has_no_mask_left_is_lost(case):
    mended, done = mend_target(target(*CASES[case][:2]), SIZE)
    assert mended is None
    assert done[-1].startswith("left out")


def test_what_is_right_stays_the_same_object():
    right = target(segmentation=[SQUARE])
    assert mend_target(right, SIZE) == (right, [])


number = st.floats(-80, 120, width=32) | st.integers(-80, 120)


@given(
    st.tuples(number, number, number, number),
    st.none() | st.lists(st.lists(number, max_size=12), max_size=3),
)
def test_a_mended_target_has_no_fault_but_a_rough_box(box, segmentation):
    mended, _ = mend_target(target(box, segmentation), SIZE)
    if mended is not None:
        assert not list(target_faults(mended, SIZE))
