import json
import pickle

import pytest

from vgtoolbox.datasets import RefCOCODataset
from vgtoolbox.registry import DATASETS


def _dataset(tree, split="train", **kwargs):
    return RefCOCODataset(
        data_root=str(tree), ann_root="refcoco", image_root="images", split=split, **kwargs
    )


def test_record_has_the_content_of_the_files(official_tree):
    assert _dataset(official_tree).get_data_info(1) == {
        # The image's own name, not the ref's.
        "img_path": str(official_tree / "images" / "COCO_train2014_000000000001.jpg"),
        "image_id": 1,
        "sample_id": "1_11",
        "sample_idx": 1,
        "split": "train",
        "expressions": ["red circle on the LEFT"],
        "height": 48,
        "width": 64,
        "targets": [
            {
                "bbox": [4, 6, 20, 10],
                "segmentation": [[4, 6, 24, 6, 24, 16, 4, 16]],
                "ann_id": 11,
            }
        ],
    }


def test_samples_are_sentences_or_refs(official_tree):
    by_sentence = _dataset(official_tree)
    by_ref = _dataset(official_tree, group_by="ref")
    ids = [by_sentence.get_data_info(i)["sample_id"] for i in range(len(by_sentence))]
    assert ids == ["1_10", "1_11", "1_12", "2_20"]
    records = [by_ref.get_data_info(i) for i in range(len(by_ref))]
    assert [r["sample_id"] for r in records] == ["1", "2"]
    assert records[0]["expressions"] == [
        "The red circle, left.",
        "red circle on the LEFT",
        "left red",
    ]


def test_samples_can_be_images_with_all_expressions(official_tree):
    (record,) = list(_dataset(official_tree, group_by="image").data_list)
    assert record["sample_id"] == "1"
    assert record["expressions"][-2:] == ["left red", "blue square to the right"]
    assert record["expression_ids"] == ["1_10", "1_11", "1_12", "2_20"]
    assert [target["ann_id"] for target in record["targets"]] == [11, 12]
    assert record["expression_targets"] == [[0], [0], [0], [1]]


def test_group_by_is_checked(official_tree):
    with pytest.raises(ValueError, match="'expression', 'ref' or 'image', got 'sentence'"):
        _dataset(official_tree, group_by="sentence")


def test_refclef_has_refs_in_several_test_splits(official_tree):
    file = official_tree / "refcoco" / "refs(unc).p"
    refs = pickle.loads(file.read_bytes())
    refs[1]["split"] = "testAB"
    file.write_bytes(pickle.dumps(refs))
    ids = [[r["sample_id"] for r in _dataset(official_tree, f"test{x}").data_list] for x in "AB"]
    assert ids == [["2_20", "3_30", "3_31"], ["2_20"]]


def test_refclef_wraps_run_lengths_in_a_list(official_tree):
    rle = {"size": [48, 64], "counts": "0`0"}
    file = official_tree / "refcoco" / "instances.json"
    instances = json.loads(file.read_text())
    instances["annotations"][0]["segmentation"] = [rle]
    file.write_text(json.dumps(instances))
    assert _dataset(official_tree).get_data_info(0)["targets"][0]["segmentation"] == rle


def test_error_for_unknown_split_lists_existing_splits(official_tree):
    with pytest.raises(ValueError, match=r"refs\(unc\)\.p has no split 'test'; .*: testA, train"):
        _dataset(official_tree, split="test")


@pytest.mark.parametrize("missing", ["refs(unc).p", "instances.json"])
def test_error_for_missing_files_shows_tree_and_command(official_tree, missing):
    (official_tree / "refcoco" / missing).unlink()
    with pytest.raises(FileNotFoundError) as raised:
        _dataset(official_tree)
    message = str(raised.value)
    assert "refcoco/refs(unc).p" in message
    assert "refcoco/instances.json" in message
    assert f"python tools/prepare_data.py shapes --out {official_tree}" in message


def test_split_by_is_part_of_the_file_name(official_tree):
    with pytest.raises(FileNotFoundError, match=r"refs\(umd\)\.p"):
        _dataset(official_tree, split_by="umd")


def test_error_names_the_annotation_missing_in_instances(official_tree):
    file = official_tree / "refcoco" / "instances.json"
    instances = json.loads(file.read_text())
    instances["annotations"] = instances["annotations"][1:]
    file.write_text(json.dumps(instances))
    with pytest.raises(ValueError, match=r"refs\(unc\)\.p, ref 1: annotation 11 is not in"):
        _dataset(official_tree)


def test_error_names_the_truncated_file(official_tree):
    file = official_tree / "refcoco" / "instances.json"
    file.write_text(file.read_text()[:100])
    with pytest.raises(ValueError, match=r"instances\.json is truncated or not JSON"):
        _dataset(official_tree)


def test_sentences_without_raw_text_are_read(official_tree):
    file = official_tree / "refcoco" / "refs(unc).p"
    refs = pickle.loads(file.read_bytes())
    for sentence in refs[0]["sentences"]:
        del sentence["raw"]
    file.write_bytes(pickle.dumps(refs))
    assert _dataset(official_tree).get_data_info(0)["expressions"] == ["the red circle, left."]


def test_dataset_is_built_by_name(official_tree, pipeline):
    dataset = DATASETS.build(
        {
            "type": "RefCOCODataset",
            "data_root": str(official_tree),
            "ann_root": "refcoco",
            "image_root": "images",
            "split": "testA",
            "pipeline": list(pipeline.values()),
        }
    )
    assert len(dataset) == 2
    assert dataset[1]["data_samples"].expression == "large"
