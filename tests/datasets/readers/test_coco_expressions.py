import gzip
import json

import pytest

from vgtoolbox.datasets import AnnotationError, COCOExpressionsDataset

SQUARE = [[2, 2, 12, 2, 12, 12, 2, 12]]
IMAGES = [
    {"id": 1, "file_name": "one.jpg", "height": 48, "width": 64},
    {"id": 2, "file_name": "two.jpg", "height": 48, "width": 64, "split": "val"},
]
ANNOTATIONS = [
    {"id": 11, "image_id": 1, "bbox": [2, 2, 10, 10], "segmentation": SQUARE},
    {"id": 12, "image_id": 1, "bbox": [20, 2, 10, 10], "expressions": ["the box", "right box"]},
    {"id": 21, "image_id": 2, "bbox": [2, 2, 10, 10], "expressions": "the square"},
]
GROUPS = [
    {"id": 5, "image_id": 1, "annotation_ids": [11, 12], "expressions": ["both"]},
    {"image_id": 1, "annotation_ids": [], "expressions": ["two dogs"]},
]


def _dataset(folder, *, split="train", groups=GROUPS, **kwargs):
    content = {"images": IMAGES, "annotations": ANNOTATIONS, "annotation_groups": groups}
    (folder / "train.json").write_text(json.dumps(content))
    return COCOExpressionsDataset(
        data_root=str(folder), ann_file="train.json", image_root="images", split=split, **kwargs
    )


def test_annotations_and_groups_have_expressions(tmp_path):
    box, right, both, nothing = _dataset(tmp_path).data_list
    assert (box["sample_id"], right["sample_id"], both["sample_id"]) == ("12_0", "12_1", "g5_0")
    assert box["img_path"] == str(tmp_path / "images" / "one.jpg")
    assert box["targets"] == [{"bbox": [20, 2, 10, 10], "segmentation": None, "ann_id": 12}]
    assert [target["ann_id"] for target in both["targets"]] == [11, 12]
    assert both["targets"][0]["segmentation"] == SQUARE
    assert (nothing["sample_id"], nothing["targets"]) == ("g1_0", [])


def test_expressions_have_the_split_of_their_image(tmp_path):
    records = _dataset(tmp_path, split="val").data_list
    assert "the square" in [record["expressions"][0] for record in records]
    # Entries without a split are in every split.
    assert len(records) == 5


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ({"annotation_ids": [21]}, "annotation 21 must be on image 1, got image 2"),
        ({"annotation_ids": [99]}, "annotation 99 is not in"),
        ({"image_id": 9}, "image 9 is not in"),
        ({"expressions": [3]}, "the key 'expressions', item 0 must be str"),
    ],
)
def test_error_names_the_broken_group(tmp_path, group, message):
    with pytest.raises(AnnotationError, match=rf"train\.json, annotation group 0: {message}"):
        _dataset(tmp_path, groups=[{**GROUPS[0], **group}])


@pytest.mark.parametrize(
    ("extra", "texts"),
    [
        ({}, "'name' of 'categories'"),
        ({"caption": "the box"}, "'caption' of 'annotations', 'name' of 'categories'"),
        ({"sentences": ["the box"]}, "'sentences' of 'annotations', 'name' of 'categories'"),
    ],
)
def test_file_without_expressions_is_an_error(tmp_path, extra, texts):
    content = {
        "images": IMAGES,
        "annotations": [{**ANNOTATIONS[0], **extra}],
        "categories": [{"id": 1, "name": "box"}],
    }
    (tmp_path / "own.json").write_text(json.dumps(content))
    message = f"own.json: an annotation must have the key 'expressions'.*keys with texts: {texts};"
    with pytest.raises(AnnotationError, match=message):
        COCOExpressionsDataset(data_root=str(tmp_path), ann_file="own.json", split="train")


@pytest.mark.parametrize(
    ("encode", "message"),
    [
        (lambda text: text.encode("utf-8-sig"), None),
        (lambda text: gzip.compress(text.encode()), None),
        (lambda text: text.encode("cp1252"), r"own\.json, line 2: the text must be UTF-8"),
        (lambda text: text.encode("utf-16"), r"own\.json, line 1: .* must be UTF-8, got UTF-16"),
        (lambda text: gzip.compress(text.encode())[:-9], "must be a complete gzip file"),
    ],
    ids=["mark", "gzip", "cp1252", "utf-16", "damaged"],
)
def test_encodings_other_than_utf8_are_refused(tmp_path, encode, message):
    annotation = {**ANNOTATIONS[0], "expressions": ["la boîte à café"]}
    content = {"annotations": [annotation], "images": IMAGES}
    text = "{\n" + json.dumps(content, ensure_ascii=False)[1:]
    (tmp_path / "own.json").write_bytes(encode(text))
    options = {"data_root": str(tmp_path), "ann_file": "own.json", "split": "train"}
    if message is not None:
        with pytest.raises(AnnotationError, match=message):
            COCOExpressionsDataset(**options)
    else:
        (record,) = COCOExpressionsDataset(**options).data_list
        assert record["expressions"] == ["la boîte à café"]


def test_annotations_with_an_empty_list_give_no_sample(tmp_path):
    annotations = [{**ANNOTATIONS[0], "expressions": []}, ANNOTATIONS[1]]
    content = {"images": IMAGES, "annotations": annotations}
    (tmp_path / "own.json").write_text(json.dumps(content))
    options = {"data_root": str(tmp_path), "ann_file": "own.json", "split": "train"}
    records = COCOExpressionsDataset(**options).data_list
    assert [record["sample_id"] for record in records] == ["12_0", "12_1"]
    content["annotations"] = annotations[:1]
    (tmp_path / "own.json").write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match="must have the key 'expressions'"):
        COCOExpressionsDataset(**options)


def test_a_file_of_several_image_ids_is_logged(tmp_path, monkeypatch):
    messages = []
    monkeypatch.setattr(COCOExpressionsDataset, "_log", lambda self, text: messages.append(text))
    content = {
        "images": [*IMAGES, {**IMAGES[0], "id": 3}],
        "annotations": ANNOTATIONS,
    }
    (tmp_path / "own.json").write_text(json.dumps(content))
    COCOExpressionsDataset(data_root=str(tmp_path), ann_file="own.json", split="train")
    (message,) = messages
    assert message.endswith("'one.jpg' has the ids [1, 3]")
