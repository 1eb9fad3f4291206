import json

import pytest

from vgtoolbox.datasets import AnnotationError, InstanceVGJsonDataset

SQUARE = [[2, 2, 12, 2, 12, 12, 2, 12]]
BAR = [[20, 4, 40, 4, 40, 8, 20, 8]]
NOTHING = {"bbox": None, "segmentation": None, "category_id": -1}


def _item(raw, *annotations, **keys):
    common = {"image_id": 7, "width": 64, "height": 48, "expressions": {"raw": raw}}
    return {**common, "annotations": list(annotations), **keys}


def _target(box, polygons):
    return {"bbox": box, "segmentation": polygons, "category_id": 1}


MIXED = {
    "image_id": 42,
    "width": 64,
    "height": 48,
    "expressions": ["the square", "a square"],
    "bbox": [2, 2, 10, 10],
    "mask": SQUARE,
}
GREFS = [
    _item("both", _target([2, 2, 10, 10], SQUARE), _target([20, 4, 20, 4], BAR)),
    _item(["two dogs", "three dogs"], NOTHING),
]
NAMED = {"file_name": "COCO_val2014_000000000009.jpg"}
TRUE = _item("the square", _target([2, 2, 10, 10], SQUARE), **NAMED)
ALSO_TRUE = _item("a square", _target([2, 2, 10, 10], SQUARE), **NAMED)
FALSE = _item("the dog", NOTHING, **NAMED)


def _dataset(folder, content, split="train", name="instance.json", **kwargs):
    (folder / name).write_text(json.dumps(content))
    return InstanceVGJsonDataset(data_root=str(folder), image_root="images", split=split, **kwargs)


def test_mixed_seg_item_has_one_box_and_mask(tmp_path):
    first, second = _dataset(tmp_path, {"train": [MIXED]}, name="instances_nogoogle.json").data_list
    assert first == {
        "img_path": str(tmp_path / "images" / "COCO_train2014_000000000042.jpg"),
        "image_id": 42,
        "sample_id": "0_0",
        "split": "train",
        "expressions": ["the square"],
        "height": 48,
        "width": 64,
        "targets": [{"bbox": [2, 2, 10, 10], "segmentation": SQUARE, "ann_id": 0}],
    }
    assert (second["sample_id"], second["expressions"]) == ("0_1", ["a square"])


def test_grefs_item_names_many_targets_or_none(tmp_path):
    many, nothing = _dataset(tmp_path, {"train": GREFS}, group_by="ref").data_list
    assert [target["bbox"] for target in many["targets"]] == [[2, 2, 10, 10], [20, 4, 20, 4]]
    assert [target["ann_id"] for target in many["targets"]] == [0, 1]
    assert (nothing["targets"], nothing["expressions"]) == ([], ["two dogs", "three dogs"])


def test_rrefcoco_item_is_a_list_of_true_and_false_expressions(tmp_path):
    dataset = _dataset(tmp_path, {"train": [[TRUE, FALSE, ALSO_TRUE]]}, group_by="ref")
    (record,) = dataset.data_list
    assert record["img_path"].endswith("COCO_val2014_000000000009.jpg")
    assert record["expressions"] == ["the square", "the dog", "a square"]
    assert len(record["targets"]) == 1
    assert record["expression_targets"] == [[0], [], [0]]


def test_index_groups_items_into_refs(tmp_path):
    index = {"val_rrefcoco+": [[0, 2], [2, 5]]}
    (tmp_path / "instance_index.json").write_text(json.dumps(index))
    items = [[TRUE], [FALSE], [TRUE], [ALSO_TRUE], [FALSE]]
    records = _dataset(tmp_path, {"val_rrefcoco+": items}, split="val_rrefcoco+").data_list
    assert [r["sample_id"] for r in records] == ["0_0", "0_1", "1_0", "1_1", "1_2"]
    assert [len(r["targets"]) for r in records] == [1, 0, 1, 1, 0]


@pytest.mark.parametrize("pairs", [[[0, 1]], [[0, 2], [1, 2]], [[1, 2]], [[0, "2"]], 3, []])
def test_index_must_cover_the_items(tmp_path, pairs):
    (tmp_path / "instance_index.json").write_text(json.dumps({"val": pairs}))
    with pytest.raises(AnnotationError, match=r"instance_index\.json: the key 'val' .* 2 items"):
        _dataset(tmp_path, {"val": [[TRUE], [FALSE]]}, split="val")


def test_error_for_unknown_split_lists_existing_splits(tmp_path):
    with pytest.raises(AnnotationError, match=r"no split 'val' with items; it has: testA, train"):
        _dataset(tmp_path, {"train": GREFS, "testA": []}, split="val")


def test_item_with_two_images_raises(tmp_path):
    other = {**FALSE, "file_name": "COCO_val2014_000000000010.jpg"}
    with pytest.raises(AnnotationError, match=r"item 0: .* share one image, got .*09\.jpg, .*10"):
        _dataset(tmp_path, {"train": [[TRUE, other]]})


def test_items_without_expressions_give_no_sample(tmp_path):
    empty = [_item([], NOTHING), {**MIXED, "expressions": []}]
    records = _dataset(tmp_path, {"train": [*empty, GREFS[1]]}, group_by="ref").data_list
    assert [record["expressions"] for record in records] == [["two dogs", "three dogs"]]
    (record,) = _dataset(
        tmp_path, {"train": [[TRUE, _item([], NOTHING, **NAMED)]]}, group_by="ref"
    ).data_list
    assert record["expressions"] == ["the square"]
