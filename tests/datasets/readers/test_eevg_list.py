import pickle

import pytest
import torch

from vgtoolbox.datasets import AnnotationError, EEVGListDataset

SQUARE = [2.0, 2.0, 12.0, 2.0, 12.0, 12.0, 2.0, 12.0]
NAME = "COCO_train2014_000000000001.jpg"
UNC = [
    (NAME, "coco", [2, 2, 10, 10, SQUARE], "the square", ""),
    ("COCO_train2014_000000000002.jpg", "coco", [1, 1, 5, 5, SQUARE, SQUARE], "two parts", ""),
    (NAME, "coco", [2, 2, 10, 10, SQUARE], "a square", ""),
]


def _dataset(folder, rows, name="unc", split="val", image_root="images", **kwargs):
    (folder / name).mkdir(exist_ok=True)
    torch.save(rows, folder / name / f"{name}_{split}.pth")
    return EEVGListDataset(
        data_root=str(folder), name=name, split=split, image_root=image_root, **kwargs
    )


def test_each_tuple_is_a_sample(tmp_path):
    first, second, third = _dataset(tmp_path, UNC).data_list
    assert first == {
        "img_path": str(tmp_path / "images" / NAME),
        "image_id": 1,
        "sample_id": "0_0",
        "split": "val",
        "expressions": ["the square"],
        "targets": [{"bbox": [2, 2, 10, 10], "segmentation": [SQUARE], "ann_id": 0}],
    }
    assert second["targets"][0]["segmentation"] == [SQUARE, SQUARE]
    assert third["sample_id"] == "0_2"
    assert third["targets"] == first["targets"]


def test_phrases_of_one_box_form_a_ref(tmp_path):
    first, second = _dataset(tmp_path, UNC, group_by="ref").data_list
    assert first["expressions"] == ["the square", "a square"]
    assert second["expressions"] == ["two parts"]
    image, _ = _dataset(tmp_path, UNC, group_by="image").data_list
    assert (len(image["targets"]), image["expression_targets"]) == (1, [[0], [0]])


def test_flickr_has_corner_boxes_and_no_masks(tmp_path):
    rows = [("36979.jpg", [10, 20, 40, 60], "a man")]
    (record,) = _dataset(tmp_path, rows, name="flickr").data_list
    assert record["image_id"] == "36979.jpg"
    assert record["targets"] == [{"bbox": [10, 20, 30, 40], "segmentation": None, "ann_id": 0}]


def test_each_source_has_its_folder(tmp_path):
    rows = [(NAME, "coco", [2, 2, 10, 10], "x", ""), ("7.jpg", "vg", [1, 1, 2, 2], "y", "")]
    roots = {"coco": "train2014", "vg": "visual-genome"}
    records = _dataset(tmp_path, rows, name="mixed_pretrain", image_root=roots).data_list
    paths = [record["img_path"] for record in records]
    assert paths == [str(tmp_path / "train2014" / NAME), str(tmp_path / "visual-genome" / "7.jpg")]
    with pytest.raises(ValueError, match=r"tuple 1: .*7\.jpg must be a key .*coco.*'vg'"):
        _dataset(tmp_path, rows, name="mixed_pretrain", image_root={"coco": "train2014"})


def test_trainval_reads_train_and_val_without_a_list_of_its_own(tmp_path):
    for split in ("train", "val"):
        _dataset(tmp_path, UNC, split=split)
    both = EEVGListDataset(data_root=str(tmp_path), name="unc", split="trainval")
    assert len(both) == 6
    assert len(_dataset(tmp_path, UNC[:1], split="trainval")) == 1


@pytest.mark.parametrize("is_zip", [True, False])
def test_torch_files_and_plain_pickles_are_read(tmp_path, is_zip):
    expected = list(_dataset(tmp_path, UNC).data_list)
    file = tmp_path / "unc" / "unc_val.pth"
    torch.save(UNC, file, _use_new_zipfile_serialization=is_zip)
    options = {"data_root": str(tmp_path), "image_root": "images", "name": "unc", "split": "val"}
    assert list(EEVGListDataset(**options).data_list) == expected
    file.write_bytes(pickle.dumps(UNC))
    assert list(EEVGListDataset(**options).data_list) == expected


def test_zip_file_with_a_broken_directory_is_named(tmp_path):
    _dataset(tmp_path, UNC)
    file = tmp_path / "unc" / "unc_val.pth"
    data = bytearray(file.read_bytes())
    locator = data.rindex(b"PK\x06\x07")
    data[locator + 16] = 2  # disks, of which there is one
    file.write_bytes(data)
    with pytest.raises(AnnotationError, match=r"unc_val\.pth is not readable"):
        EEVGListDataset(data_root=str(tmp_path), name="unc", split="val", image_root="images")
