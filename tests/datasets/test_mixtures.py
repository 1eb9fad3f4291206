import pickle

import pytest

from vgtoolbox.datasets import ConcatGroundingDataset, GRefCOCODataset, RefCOCODataset
from vgtoolbox.registry import DATASETS


def _config(tree, split="train", kind="RefCOCODataset", **keys):
    folder = {"RefCOCODataset": "refcoco", "GRefCOCODataset": "grefcoco"}[kind]
    return {
        "type": kind,
        "data_root": str(tree),
        "ann_root": folder,
        "image_root": "images",
        "split": split,
        **keys,
    }


def test_sample_idx_counts_through_all_parts(official_tree):
    parts = [_config(official_tree), _config(official_tree, kind="GRefCOCODataset")]
    mixture = DATASETS.build({"type": "ConcatGroundingDataset", "datasets": parts})
    assert isinstance(mixture, ConcatGroundingDataset)
    assert len(mixture) == 8
    infos = [mixture.get_data_info(i) for i in range(8)]
    assert [info["sample_idx"] for info in infos] == list(range(8))
    assert [mixture[i]["sample_idx"] for i in range(8)] == list(range(8))
    assert mixture[-1]["sample_id"] == mixture[7]["sample_id"] == "3_30"
    with pytest.raises(IndexError, match=r"index must be in \[-8, 8\), got 8"):
        mixture[8]


def test_randomness_depends_on_the_position_in_the_concatenation(official_tree):
    draw = {"draw": lambda results: {**results, "drawn": results["rng"].random()}}
    parts = [_config(official_tree, pipeline=draw) for _ in range(2)]
    mixture = ConcatGroundingDataset(parts)
    drawn = [mixture[i]["drawn"] for i in range(len(mixture))]
    assert len(set(drawn)) == len(drawn)


def test_images_of_excluded_datasets_are_dropped(official_tree):
    file = official_tree / "refcoco" / "refs(unc).p"
    refs = pickle.loads(file.read_bytes())
    file.write_bytes(pickle.dumps([*refs, {**refs[0], "ref_id": 9, "split": "testA"}]))
    leaking = _config(official_tree, "testA")
    with pytest.raises(ValueError, match="has no samples"):
        RefCOCODataset(
            **{k: v for k, v in _config(official_tree).items() if k != "type"},
            exclude_images_of=[leaking],
        )
    # Image 1 is the only one of gRefCOCO's train, image 2 that of its val.
    val = _config(official_tree, "val", "GRefCOCODataset")
    mixture = ConcatGroundingDataset([_config(official_tree), leaking], exclude_images_of=[val])
    assert mixture.image_keys() == {"000000000001"}
    assert len(mixture) == 4 + 3


def test_images_are_excluded_by_coco_number(official_tree):
    dataset = RefCOCODataset(
        **{k: v for k, v in _config(official_tree, "testA").items() if k != "type"}
    )
    assert dataset.image_keys() == {"000000000002"}
    dataset.exclude_images({"000000000003"})
    assert len(dataset) == 2
    with pytest.raises(ValueError, match="has no samples"):
        dataset.exclude_images({"000000000002"})


def test_nothing_is_read_before_full_init(official_tree):
    part = GRefCOCODataset(
        **{k: v for k, v in _config(official_tree, kind="GRefCOCODataset").items() if k != "type"},
        lazy_init=True,
    )
    mixture = ConcatGroundingDataset([part], lazy_init=True)
    assert not part._fully_initialized
    assert len(mixture) == 4


def test_empty_concatenation_raises():
    with pytest.raises(ValueError, match="one dataset or more, got"):
        ConcatGroundingDataset([])
