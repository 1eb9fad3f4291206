import json

import pytest

from vgtoolbox.datasets import AnnotationError, JSONLinesDataset

TRIANGLE = [[2, 2, 12, 2, 12, 8]]
LINES = [
    {"image": "a/1.jpg", "expression": "the dog", "boxes": [2, 2, 12, 8], "id": "first"},
    {"image": "a/1.jpg", "expression": ["dogs", "both"], "boxes": [[2, 2, 12, 8], [0, 0, 4, 4]]},
    {"image": "2.jpg", "expression": "no cat", "boxes": None},
    {"image": "2.jpg", "expression": "the roof", "masks": [TRIANGLE], "height": 48, "width": 64},
    {"image": "3.jpg", "expression": "who knows"},
]


def _dataset(folder, entries=LINES, **kwargs):
    (folder / "mine.jsonl").write_text("\n".join(json.dumps(entry) for entry in entries) + "\n\n")
    options = {"ann_file": "mine.jsonl", "image_root": "images", "split": "mine", **kwargs}
    return JSONLinesDataset(data_root=str(folder), **options)


def test_each_line_is_a_record(tmp_path):
    dog, both, nothing, roof, unknown = _dataset(tmp_path, group_by="ref").data_list
    assert dog["img_path"] == str(tmp_path / "images" / "a" / "1.jpg")
    assert (dog["sample_id"], dog["expressions"]) == ("first", ["the dog"])
    assert dog["targets"] == [{"bbox": [2, 2, 10, 6], "segmentation": None, "ann_id": 0}]
    assert (both["sample_id"], both["expression_ids"]) == ("1", ["1_0", "1_1"])
    assert [target["bbox"] for target in both["targets"]] == [[2, 2, 10, 6], [0, 0, 4, 4]]
    assert nothing["targets"] == []
    assert roof["targets"] == [{"bbox": [2, 2, 10, 6], "segmentation": TRIANGLE, "ann_id": 0}]
    assert (roof["height"], roof["width"]) == (48, 64)
    assert "targets" not in unknown


def test_arrays_and_renamed_keys_are_read(tmp_path):
    entries = [{"file": "1.jpg", "caption": "the dog", "xywh": [2, 2, 10, 6]}]
    (tmp_path / "mine.json").write_text(json.dumps(entries))
    keys = {"image": "file", "expression": "caption", "boxes": "xywh"}
    (record,) = _dataset(tmp_path, ann_file="mine.json", keys=keys, box_format="xywh").data_list
    assert record["targets"][0]["bbox"] == [2, 2, 10, 6]


def test_lines_of_other_splits_are_skipped(tmp_path):
    entries = [{**entry, "split": split} for entry, split in zip(LINES, "abcab", strict=True)]
    records = _dataset(tmp_path, entries, split="a", group_by="ref").data_list
    assert [record["expressions"][0] for record in records] == ["the dog", "the roof"]


def test_boxes_are_derived_from_run_lengths(tmp_path):
    # 3 x 4 pixels, column by column: 4 empty, then rows 1 and 2 of column 1.
    rle = {"size": [3, 4], "counts": [4, 2, 6]}
    entry = {"image": "1.jpg", "expression": "x", "masks": rle}
    (record,) = _dataset(tmp_path, [entry]).data_list
    assert record["targets"][0]["bbox"] == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"expression": "x"}, "line 1: the key 'image' is missing"),
        ({"image": "1.jpg", "expression": []}, "line 1: the key 'expression' must be one text"),
        ({"image": "1.jpg", "expression": "x", "boxes": [[1, 2, 3]]}, "'boxes' .*4 finite numbers"),
        (
            {"image": "1.jpg", "expression": "x", "boxes": [[1, 2, 3, 4]], "masks": []},
            "equal numbers of boxes and masks, got 1 and 0",
        ),
        (
            {"image": "1.jpg", "expression": "x", "masks": [[[1, "2"]]]},
            "must be numbers",
        ),
    ],
)
def test_error_names_the_broken_line(tmp_path, entry, message):
    with pytest.raises(AnnotationError, match=rf"mine\.jsonl, .*{message}"):
        _dataset(tmp_path, [entry])


def test_options_are_checked(tmp_path):
    with pytest.raises(ValueError, match=r"keys must be among image, expression.*got caption"):
        _dataset(tmp_path, keys={"caption": "expression"})
    with pytest.raises(ValueError, match="box_format must be 'xyxy' or 'xywh', got 'cxcywh'"):
        _dataset(tmp_path, box_format="cxcywh")


def test_real_file_and_its_images_are_read(real_data):
    keys = {"image": "file_name", "expression": "normal_caption", "boxes": "solution"}
    dataset = JSONLinesDataset(
        ann_root=str(real_data / "annotations"),
        ann_file="refcocos_test.json",
        image_root=str(real_data / "images"),
        split="test",
        keys=keys,
        pipeline=[
            lambda results: {**results, "img_path": results["img_path"].replace("/00", "/coco_00")},
            {"type": "LoadImage"},
            {"type": "LoadTargets", "with_masks": False},
        ],
    )
    records = list(dataset.data_list)
    assert len(records) == 506
    assert sum(not record["targets"] for record in records) == 25
    present = [i for i, r in enumerate(records) if r["image_id"] in (74209, 136355)]
    assert present
    for index in present:
        assert tuple(dataset[index]["boxes"].shape) == (1, 4)
