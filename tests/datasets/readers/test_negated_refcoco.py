import pickle

import pytest

from vgtoolbox.datasets import FPRefCOCODataset, RRefCOCODataset


def _rrefcoco(tree, **kwargs):
    options = {"ann_root": "rrefcoco", "image_root": "images", "split": "val", **kwargs}
    return RRefCOCODataset(data_root=str(tree), **options)


def _fprefcoco(tree, **kwargs):
    options = {"ann_root": "fprefcoco", "image_root": "images", "split": "val", **kwargs}
    return FPRefCOCODataset(data_root=str(tree), **options)


def test_sentence_without_a_referent_names_nothing(official_tree):
    records = list(_rrefcoco(official_tree).data_list)
    ids = [[target["ann_id"] for target in record["targets"]] for record in records]
    assert ids == [[11], [], [11], [], [12]]


def test_sample_ids_start_with_the_ref(official_tree):
    ids = [record["sample_id"] for record in _rrefcoco(official_tree).data_list]
    assert [name.rpartition("_")[0] for name in ids] == ["1", "1", "1", "2", "2"]


def test_sentences_without_the_key_are_true(official_tree):
    # R-RefCOCO's files read as those of RefCOCO: the plain refs have no `exist`.
    records = _rrefcoco(official_tree, ann_root="refcoco", split="train").data_list
    assert all(len(record["targets"]) == 1 for record in records)


def test_sentence_drawn_from_a_ref_has_its_own_targets(official_tree):
    steps = {
        "choose": {"type": "ChooseExpression"},
        "size": lambda results: {**results, "ori_shape": (48, 64)},
        "targets": {"type": "LoadTargets"},
    }
    dataset = _rrefcoco(official_tree, group_by="ref", pipeline=steps)
    drawn = set()
    for epoch in range(20):
        dataset.set_epoch(epoch)
        sample = dataset[0]
        assert len(sample["boxes"]) == (0 if sample["expression"] == "the green dog" else 1)
        drawn.add(sample["expression"])
    assert drawn == {"the red circle", "the green dog", "left red"}


def test_false_premises_have_corrections(official_tree):
    true, false = _fprefcoco(official_tree).data_list
    assert (true["correction"], len(true["targets"])) == (None, 1)
    assert (false["correction"], len(false["targets"])) == ("the red circle", 0)
    (ref,) = _fprefcoco(official_tree, group_by="ref").data_list
    assert ref["corrections"] == [None, "the red circle"]
    assert ref["expression_targets"] == [[0], []]


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (_rrefcoco, "rrefcoco/refs(unc).p"),
        (_fprefcoco, "fprefcoco/refs(berkeley_exclude_unified).p"),
    ],
)
def test_refs_without_sentences_give_no_sample(official_tree, read, name):
    expected = list(read(official_tree).data_list)
    file = official_tree / name
    refs = pickle.loads(file.read_bytes())
    file.write_bytes(pickle.dumps([{**refs[0], "ref_id": 99, "sentences": []}, *refs]))
    assert list(read(official_tree).data_list) == expected
