import gzip
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


TEXT = "la boîte à café"


@pytest.mark.parametrize("name", ["mine.jsonl", "mine.jsonl.gz", "mine.json"])
def test_byte_order_mark_and_compression_are_read(tmp_path, name):
    entries = [{"image": "1.png", "expression": text, "boxes": []} for text in (TEXT, "b")]
    text = "\r\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    data = text.encode("utf-8-sig")
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    records = JSONLinesDataset(data_root=str(tmp_path), ann_file=name, split="train").data_list
    assert [record["expressions"] for record in records] == [[TEXT], ["b"]]


def test_line_separators_of_unicode_do_not_end_a_line(tmp_path):
    entry = {"image": "1.png", "expression": "a\u2028b\x85c", "boxes": []}
    text = json.dumps(entry, ensure_ascii=False)
    (tmp_path / "mine.jsonl").write_text(text, encoding="utf-8")
    options = {"data_root": str(tmp_path), "ann_file": "mine.jsonl", "split": "a"}
    (record,) = JSONLinesDataset(**options).data_list
    assert record["expressions"] == ["a\u2028b\x85c"]


@pytest.mark.parametrize(
    ("encoding", "message"),
    [
        ("latin-1", r"mine\.jsonl, line 2: the text must be UTF-8, got the byte 0xee after"),
        ("utf-16", r"mine\.jsonl, line 1: the text must be UTF-8, got UTF-16"),
        ("utf-16-le", r"mine\.jsonl, line 1: the text must be UTF-8, got UTF-16"),
    ],
)
def test_other_encodings_are_refused(tmp_path, encoding, message):
    entries = [{"image": "1.png", "expression": text, "boxes": []} for text in ("a", TEXT)]
    text = "\n".join(json.dumps(entry, ensure_ascii=False) for entry in entries)
    (tmp_path / "mine.jsonl").write_bytes(text.encode(encoding))
    with pytest.raises(AnnotationError, match=message):
        JSONLinesDataset(data_root=str(tmp_path), ann_file="mine.jsonl", split="train")


@pytest.mark.parametrize(
    ("entry", "options", "message"),
    [
        (
            {"filename": "1.png", "height": 48, "width": 64, "grounding": {"regions": []}},
            {},
            "'image' is missing; existing keys: filename, height, width, grounding; .*Grounding "
            "DINO .*keys={'image': 'filename'}",
        ),
        (
            {"messages": [], "images": ["1.png"], "objects": {"ref": [], "bbox": []}},
            {},
            "'image' is missing; existing keys: messages, images, objects; .*swift and Qwen",
        ),
        (
            {"file_name": "1.png", "caption": "a", "bbox": [1, 2, 3, 4]},
            {},
            "keys={'image': 'file_name', 'expression': 'caption', 'boxes': 'bbox'}",
        ),
        (
            {"image": "1.png", "caption": "a", "boxes": []},
            {"keys": {"expression": "text"}},
            r"the key 'text' \('expression' of the reader\) is missing; .*'expression': 'caption'",
        ),
        (
            {"image": "1.png", "expression": "a", "bbox": [1, 2, 3, 4]},
            {},
            "'boxes' and 'masks' are missing, but 'bbox' .*keys={'boxes': 'bbox'}",
        ),
    ],
)
def test_error_lists_the_keys_of_the_line(tmp_path, entry, options, message):
    with pytest.raises(AnnotationError, match=rf"mine\.jsonl, line 1: .*{message}"):
        _dataset(tmp_path, [entry], **options)


@pytest.mark.parametrize("indent", [None, 1])
def test_array_is_read_whatever_the_name_of_the_file(tmp_path, indent):
    entries = [{"image": "1.png", "expression": text, "boxes": []} for text in "ab"]
    (tmp_path / "mine.jsonl").write_text(json.dumps(entries, indent=indent))
    options = {"data_root": str(tmp_path), "ann_file": "mine.jsonl", "split": "a"}
    records = JSONLinesDataset(**options).data_list
    assert [record["expressions"] for record in records] == [["a"], ["b"]]
