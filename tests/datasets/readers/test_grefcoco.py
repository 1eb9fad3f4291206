import gzip
import json
import pickle

import pytest
import torch

from vgtoolbox.datasets import AnnotationError, GRefCOCODataset


def _dataset(tree, split="train", **kwargs):
    return GRefCOCODataset(
        data_root=str(tree), ann_root="grefcoco", image_root="images", split=split, **kwargs
    )


def _ann_ids(dataset):
    records = [dataset.get_data_info(i) for i in range(len(dataset))]
    return [[target["ann_id"] for target in record["targets"]] for record in records]


def test_refs_have_zero_one_or_many_targets(official_tree):
    assert _ann_ids(_dataset(official_tree)) == [[11], [11], [11, 12, 13], []]


def test_empty_list_of_ids_means_no_target(official_tree):
    file = official_tree / "grefcoco" / "grefs(unc).json"
    refs = json.loads(file.read_text())
    refs[2]["ann_id"] = []
    file.write_text(json.dumps(refs))
    assert _ann_ids(_dataset(official_tree))[3] == []


def test_pickle_is_read_without_a_json_file(official_tree):
    folder = official_tree / "grefcoco"
    from_json = [_dataset(official_tree).get_data_info(i) for i in range(4)]
    refs = json.loads((folder / "grefs(unc).json").read_text())
    (folder / "grefs(unc).json").unlink()
    (folder / "grefs(unc).p").write_bytes(pickle.dumps(refs))
    assert [_dataset(official_tree).get_data_info(i) for i in range(4)] == from_json


def test_pipeline_accepts_any_number_of_targets(official_tree, pipeline):
    dataset = _dataset(official_tree, pipeline=pipeline)
    samples = [dataset[i]["data_samples"] for i in range(len(dataset))]
    assert [len(s.gt_instances) for s in samples] == [1, 1, 3, 0]
    assert [s.no_target for s in samples] == [False, False, False, True]
    empty = samples[3]
    assert empty.gt_instances.masks.shape == (0, 32, 32)
    assert empty.gt_instances.boxes_xyxy.shape == (0, 4)
    assert empty.gt_instances_ori.masks == []
    many = samples[2].gt_instances
    # Rectangles of 20 x 10, 16 x 24 and 8 x 8 in 64 x 48, squeezed into 32 x 32.
    expected = torch.tensor([[2, 4, 12, 32 / 3], [20, 40 / 3, 28, 88 / 3], [15, 4 / 3, 19, 20 / 3]])
    torch.testing.assert_close(many.boxes_xyxy, expected)


def test_refs_without_sentences_give_no_sample(official_tree):
    """The official file has such refs in val, which its own loader drops."""
    file = official_tree / "grefcoco" / "grefs(unc).json"
    refs = json.loads(file.read_text())
    expected = _ann_ids(_dataset(official_tree))
    empty = [{**ref, "ref_id": 900 + ref["ref_id"], "sentences": []} for ref in refs]
    file.write_text(json.dumps([*empty, *refs]))
    assert _ann_ids(_dataset(official_tree)) == expected
    assert len(_dataset(official_tree, group_by="ref")) == len(
        {record["sample_id"].rpartition("_")[0] for record in _dataset(official_tree).data_list}
    )


@pytest.mark.parametrize("sentence", [{"sent_id": 1, "sent": 5}, {"sent_id": 1, "raw": None}, "x"])
def test_sentence_other_than_text_is_an_error(official_tree, sentence):
    file = official_tree / "grefcoco" / "grefs(unc).json"
    refs = json.loads(file.read_text())
    refs[0]["sentences"] = [sentence]
    file.write_text(json.dumps(refs))
    with pytest.raises(AnnotationError, match=r"grefs\(unc\)\.json, ref 1: the key 'sent"):
        _dataset(official_tree)


def test_compressed_files_are_read(official_tree):
    expected = list(_dataset(official_tree).data_list)
    for name in ("grefs(unc).json", "instances.json"):
        file = official_tree / "grefcoco" / name
        (file.with_name(name + ".gz")).write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert list(_dataset(official_tree).data_list) == expected
