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


def test_value_of_the_expected_kind_is_returned():
    entry = {"id": 3, "name": "x", "exist": False}
    assert expect(entry, "id", int) == 3
    assert expect(entry, "name", int | str) == "x"
    assert expect(entry, "exist", bool | int) is False


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([1, 2], "it must be an object with the key 'id', got list of 2"),
        ({"name": 1}, "the key 'id' is missing; existing keys: name"),
        ({"id": "3"}, "the key 'id' must be int, got str '3'"),
        ({"id": True}, "the key 'id' must be int, got bool True"),
        ({"id": "x" * 999}, r"got str 'xxx.*\.\.\.$"),
    ],
)
def test_error_describes_the_value(entry, message):
    with pytest.raises(FieldError, match=message):
        expect(entry, "id", int)


def test_items_and_texts_are_validated():
    assert expect_items({"ids": (1, 2)}, "ids", int) == [1, 2]
    assert expect_texts({"raw": "a"}, "raw") == ["a"]
    assert expect_texts({"raw": ["a", "b"]}, "raw") == ["a", "b"]
    with pytest.raises(FieldError, match="the key 'ids', item 1 must be int"):
        expect_items({"ids": [1, None]}, "ids", int)
    with pytest.raises(FieldError, match="the key 'raw' must be one text or more"):
        expect_texts({"raw": []}, "raw")


@pytest.mark.parametrize(
    "box", [[1, 2, 3], [1, 2, 3, "4"], [1, 2, 3, float("nan")], [1, 2, 3, 10**400], None, "1234"]
)
def test_invalid_box_raises(box):
    with pytest.raises(FieldError, match="must be a box of 4 finite numbers"):
        expect_box(box)


def test_segmentation_box_reads_every_form_of_mask():
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
def test_invalid_mask_raises(mask):
    with pytest.raises(FieldError):
        expect_segmentation(mask)


def test_segmentation_without_a_valid_area_raises():
    with pytest.raises(FieldError, match="add up to the pixels of its image"):
        segmentation_box({"size": [3, 4], "counts": [4, 2, 60]})
    with pytest.raises(FieldError, match="one polygon or more"):
        segmentation_box([])
