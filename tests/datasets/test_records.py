import pytest

from vgtoolbox.datasets.records import (
    image_id_of,
    image_key,
    number_repeated_ids,
    regroup,
    targets_of,
)

CUP, DOG = {"ann_id": 1}, {"ann_id": 2}


def _refs():
    common = {"img_path": "a.jpg", "image_id": 7}
    return [
        {
            **common,
            "sample_id": "1",
            "expressions": ["cup", "no dog"],
            "expression_ids": ["1_0", "1_1"],
            "expression_targets": [[0], []],
            "targets": [CUP],
        },
        {
            **common,
            "sample_id": "2",
            "expressions": ["both"],
            "expression_ids": ["2_0"],
            "targets": [CUP, DOG],
        },
    ]


def test_each_expression_becomes_a_record_with_its_targets():
    records = regroup(_refs(), "expression")
    assert [record["sample_id"] for record in records] == ["1_0", "1_1", "2_0"]
    assert [record["expressions"] for record in records] == [["cup"], ["no dog"], ["both"]]
    assert [record["targets"] for record in records] == [[CUP], [], [CUP, DOG]]
    assert all("expression_targets" not in record for record in records)


def test_refs_are_kept_when_grouped_by_ref():
    assert regroup(_refs(), "ref") == _refs()


def test_refs_of_an_image_are_merged_with_shared_targets_once():
    (record,) = regroup(_refs(), "image")
    assert record["sample_id"] == "7"
    assert record["expressions"] == ["cup", "no dog", "both"]
    assert record["expression_ids"] == ["1_0", "1_1", "2_0"]
    assert record["targets"] == [CUP, DOG]
    assert record["expression_targets"] == [[0], [], [0, 1]]
    assert [targets_of(record, position) for position in range(3)] == [[CUP], [], [CUP, DOG]]


def test_repeated_ids_are_numbered():
    records = [{"sample_id": name} for name in "abaca"]
    assert number_repeated_ids(records) == ["a", "a"]
    assert [record["sample_id"] for record in records] == ["a", "b", "a#2", "c", "a#3"]


@pytest.mark.parametrize(
    ("name", "key", "image_id"),
    [
        ("x/COCO_train2014_000000581857.jpg", "000000581857", 581857),
        ("val2017/000000581857.jpg", "000000581857", 581857),
        ("36979.jpg", "36979.jpg", "36979.jpg"),
        ("100637969_a7173095de_o.jpg",) * 3,
    ],
)
def test_copies_of_an_image_share_a_key(name, key, image_id):
    assert (image_key(name), image_id_of(name)) == (key, image_id)
