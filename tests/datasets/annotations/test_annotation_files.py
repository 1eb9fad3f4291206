import pytest

from vgtoolbox.datasets.annotations.annotation_files import (
    FieldError,
    expect,
    expect_box,
    expect_items,
    expect_segmentation,
    expect_texts,
    segmentation_box,
)

RLE = {"size": [3, 4], "counts": [4, 2, 6]}


def test_a_value_of_its_kind_comes_back():
    entry = {"id": 3, "name": "x", "exist": False}
    assert expect(entry, "id", int) == 3
    assert expect(entry, "name", int | str) == "x"
    assert expect(entry, "exist", bool | int) is False


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([1, 2], "expected an object with the key 'id', found list of 2"),
        ({"name": 1}, "the key 'id' is missing; there are: name"),
        ({"id": "3"}, "the key 'id' should hold int, found str '3'"),
        ({"id": True}, "the key 'id' should hold int, found bool True"),
        ({"id": "x" * 999}, r"found str 'xxx.*\.\.\.$"),
    ],
)
def test_any_other_value_is_described(entry, message):
    with pytest.raises(FieldError, match=message):
        expect(entry, "id", int)


def test_items_and_texts():
    assert expect_items({"ids": (1, 2)}, "ids", int) == [1, 2]
    assert expect_texts({"raw": "a"}, "raw") == ["a"]
    assert expect_texts({"raw": ["a", "b"]}, "raw") == ["a", "b"]
    with pytest.raises(FieldError, match="the key 'ids', item 1, should hold int"):
        expect_items({"ids": [1, None]}, "ids", int)
    with pytest.raises(FieldError, match="the key 'raw' is empty"):
        expect_texts({"raw": []}, "raw")


@pytest.mark.parametrize(
    "box", [[1, 2, 3], [1, 2, 3, "4"], [1, 2, 3, float("nan")], [1, 2, 3, 10**400], None, "1234"]
)
def test_what_is_no_box(box):
    with pytest.raises(FieldError, match="should hold a box, 4 finite numbers"):
        expect_box(box)


def test_masks_of_every_form_have_their_box():
    polygons = [[2, 3, 12, 3, 12, 9], [1.5, 5, 4, 5, 4, 6]]
    assert segmentation_box(expect_segmentation(polygons)) == [1.5, 3, 10.5, 6]
    # Column by column of 3 rows: rows 1 and 2 of column 1.
    assert segmentation_box(expect_segmentation(RLE)) == [1, 1, 1, 2]
    assert expect_segmentation([RLE]) == RLE
    assert expect_segmentation({"size": [3, 4], "counts": b"42"}) == {
        "size": [3, 4],
        "counts": "42",
    }


@pytest.mark.parametrize(
    "mask",
    [
        3,
        [3],
        [["x", 1]],
        {"size": [3], "counts": "4"},
        {"size": [3, -1], "counts": "4"},
        {"size": [3, 4]},
        {"size": [3, 4], "counts": ["x"]},
    ],
)
def test_what_is_no_mask(mask):
    with pytest.raises(FieldError):
        expect_segmentation(mask)


def test_run_lengths_of_another_size_have_no_box():
    with pytest.raises(FieldError, match="add up to the pixels of its image"):
        segmentation_box({"size": [3, 4], "counts": [4, 2, 60]})
    with pytest.raises(FieldError, match="without a polygon has no box"):
        segmentation_box([])
