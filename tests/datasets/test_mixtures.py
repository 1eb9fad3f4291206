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


def test_samples_are_counted_through(official_tree):
    parts = [_config(official_tree), _config(official_tree, kind="GRefCOCODataset")]
    mixture = DATASETS.build({"type": "ConcatGroundingDataset", "datasets": parts})
    assert isinstance(mixture, ConcatGroundingDataset)
    assert len(mixture) == 8
    infos = [mixture.get_data_info(i) for i in range(8)]
    assert [info["sample_idx"] for info in infos] == list(range(8))
    assert [mixture[i]["sample_idx"] for i in range(8)] == list(range(8))
    assert mixture[-1]["sample_id"] == mixture[7]["sample_id"] == "3_30"
    with pytest.raises(IndexError, match="sample 8 of a dataset of 8"):
        mixture[8]


def test_a_part_draws_by_its_place_in_the_whole(official_tree):
    draw = {"draw": lambda results: {**results, "drawn": results["rng"].random()}}
    parts = [_config(official_tree, pipeline=draw) for _ in range(2)]
    mixture = ConcatGroundingDataset(parts)
    drawn = [mixture[i]["drawn"] for i in range(len(mixture))]
    assert len(set(drawn)) == len(drawn)


def test_no_image_of_another_split(official_tree):
    file = official_tree / "refcoco" / "refs(unc).p"
    refs = pickle.loads(file.read_bytes())
    file.write_bytes(pickle.dumps([*refs, {**refs[0], "ref_id": 9, "split": "testA"}]))
    leaking = _config(official_tree, "testA")
    with pytest.raises(ValueError, match="left without a sample"):
        RefCOCODataset(
            **{k: v for k, v in _config(official_tree).items() if k != "type"},
            exclude_images_of=[leaking],
        )
    # Image 1 is the only one of gRefCOCO's train, image 2 that of its val.
    val = _config(official_tree, "val", "GRefCOCODataset")
    mixture = ConcatGroundingDataset([_config(official_tree), leaking], exclude_images_of=[val])
    assert mixture.image_keys() == {"000000000001"}
    assert len(mixture) == 4 + 3


def test_excluded_images_are_known_by_number_whatever_the_release(official_tree):
    dataset = RefCOCODataset(
        **{k: v for k, v in _config(official_tree, "testA").items() if k != "type"}
    )
    assert dataset.image_keys() == {"000000000002"}
    dataset.leave_out_images({"000000000003"})
    assert len(dataset) == 2
    with pytest.raises(ValueError, match="left without a sample"):
        dataset.leave_out_images({"000000000002"})


def test_nothing_is_read_before_full_init(official_tree):
    part = GRefCOCODataset(
        **{k: v for k, v in _config(official_tree, kind="GRefCOCODataset").items() if k != "type"},
        lazy_init=True,
    )
    mixture = ConcatGroundingDataset([part], lazy_init=True)
    assert not part._fully_initialized
    assert len(mixture) == 4


def test_a_mixture_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="one dataset or more, got none"):
        ConcatGroundingDataset([])
