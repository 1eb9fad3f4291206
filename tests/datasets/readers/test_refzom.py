import pickle

import pytest

from vgtoolbox.datasets import AnnotationError, RefZOMDataset


def _dataset(tree, split="test", **kwargs):
    options = {"ann_root": "refzom", "image_root": "images", **kwargs}
    return RefZOMDataset(data_root=str(tree), split=split, **options)


def test_source_gives_the_number_of_targets(official_tree):
    records = list(_dataset(official_tree).data_list)
    assert [r["source"] for r in records] == ["zero", "one", "many", "many"]
    ids = [[target["ann_id"] for target in r["targets"]] for r in records]
    assert ids == [[], [12], [11, 12], [11, 12]]
    assert [r["sample_id"] for r in records] == ["1_10", "2_20", "3_30", "3_31"]


def test_image_has_one_source_per_expression(official_tree):
    (record,) = list(_dataset(official_tree, group_by="image").data_list)
    assert record["sources"] == ["zero", "one", "many", "many"]
    assert record["expression_targets"] == [[], [0], [1, 0], [1, 0]]


@pytest.mark.parametrize("name", ["Ref-ZOM(final).p", "Ref_ZOM.p"])
def test_released_file_names_are_found(official_tree, name):
    file = official_tree / "refzom" / "refs(final).p"
    file.rename(file.with_name(name))
    assert len(_dataset(official_tree)) == 4


def test_image_folder_follows_the_image_name(official_tree):
    record = _dataset(official_tree, image_root="coco/{folder}").get_data_info(0)
    expected = official_tree / "coco" / "train2014" / "COCO_train2014_000000000001.jpg"
    assert record["img_path"] == str(expected)


def test_unknown_source_raises(official_tree):
    file = official_tree / "refzom" / "refs(final).p"
    refs = pickle.loads(file.read_bytes())
    refs[0]["source"] = "none"
    file.write_bytes(pickle.dumps(refs))
    with pytest.raises(AnnotationError, match=r"refs\(final\)\.p, ref 1: the key 'source' .*none"):
        _dataset(official_tree)
