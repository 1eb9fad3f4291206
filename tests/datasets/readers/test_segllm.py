import json

import pytest

from vgtoolbox.datasets import AnnotationError, SegLLMConversationDataset

IMAGE = "coco/train2014/COCO_train2014_000000000007.jpg"


def _human(text, **keys):
    return {"from": "human", "value": text, **keys}


def _gpt(target, relation="none", reference="none"):
    return {
        "from": "gpt",
        "value": f"[MASK-DECODE:{relation}:{reference}:{target}:{IMAGE}:refcoco].",
    }


def _cue(mask_id):
    marker = f"{IMAGE}|refcoco|{mask_id}"
    return f"[MASK-ENCODE:{marker}] [BOX-ENCODE:{marker}] "


ROUNDS = [
    _human(f"[IMAGE256:{IMAGE}] Segment a person."),
    _gpt(11),
    _human(_cue(11) + "Segment the person next to instance 1.", ind=1),
    _gpt(12, "relational", 11),
    _human("Segment the dog [sic].", ind=-1),
    {"from": "gpt", "value": f"[MASK-DECODE:{IMAGE}|rles|x_1]."},
]
RLE = {"size": [3, 4], "counts": [4, 2, 6]}


@pytest.fixture
def tree(tmp_path):
    annotations = [
        {"id": i, "image_id": 7, "bbox": [i, 2, 10, 10], "segmentation": [[1, 1, 9, 1, 9, 9]]}
        for i in (11, 12, 13)
    ]
    images = [{"id": 7, "file_name": "7.jpg", "height": 48, "width": 64}]
    instances = {"images": images, "annotations": annotations}
    (tmp_path / "instances.json").write_text(json.dumps(instances))
    (tmp_path / "rles.json").write_text(json.dumps({"x_1": {"segmentation": RLE}}))
    return tmp_path


def _dataset(tree, *conversations, **kwargs):
    content = [
        {"task": "segmentation", "base": "[null]", "conversations": c} for c in conversations
    ]
    (tree / "mr_val.json").write_text(json.dumps(content))
    return SegLLMConversationDataset(
        data_root=str(tree),
        ann_file="mr_val.json",
        split="val",
        masks={"refcoco": "instances.json", "rles": "rles.json"},
        **kwargs,
    )


def test_each_conversation_is_a_record(tree):
    (record,) = _dataset(tree, ROUNDS).data_list
    assert record["img_path"] == str(tree / IMAGE)
    assert (record["image_id"], record["height"], record["width"]) == (7, 48, 64)
    assert record["expressions"] == [
        "Segment a person.",
        "Segment the person next to instance 1.",
        "Segment the dog [sic].",
    ]
    assert record["expression_ids"] == ["0_0", "0_1", "0_2"]
    assert [target["ann_id"] for target in record["targets"]] == [11, 12, "x_1"]
    assert record["targets"][2]["bbox"] == [1, 1, 1, 2]
    assert record["expression_targets"] == [[0], [1], [2]]
    assert record["references"] == [[], [0], []]
    assert record["reference_rounds"] == [[], [0], []]
    assert record["relations"] == ["none", "relational", "none"]


def test_reference_that_no_round_segmented_has_no_round(tree):
    hard = [_human(f"[IMAGE256:{IMAGE}] {_cue(13)}Segment the other one."), _gpt(11, "other", 13)]
    (record,) = _dataset(tree, hard).data_list
    assert [target["ann_id"] for target in record["targets"]] == [13, 11]
    assert record["references"] == [[0]]
    assert record["reference_rounds"] == [[None]]
    assert record["expression_targets"] == [[1]]


def test_max_rounds_drops_later_rounds(tree):
    (record,) = _dataset(tree, ROUNDS, max_rounds=1).data_list
    assert record["expressions"] == ["Segment a person."]


def test_images_moved_from_val_to_train_are_found(tree):
    moved = tree / "coco" / "train2014" / "1.jpg"
    moved.parent.mkdir(parents=True)
    moved.touch()
    rounds = [_human("[IMAGE256:coco/val2014/1.jpg] Segment it."), _gpt(11)]
    assert _dataset(tree, rounds).get_data_info(0)["img_path"] == str(moved)


@pytest.mark.parametrize("ind", [2, [1, 3], 7, -2])
def test_reference_to_the_same_or_a_later_round_raises(tree, ind):
    rounds = [*ROUNDS[:2], {**ROUNDS[2], "ind": ind}, ROUNDS[3]]
    with pytest.raises(AnnotationError, match=r"'ind' of round 2 must refer to an earlier round"):
        _dataset(tree, rounds)


@pytest.mark.parametrize(
    ("rounds", "message"),
    [
        (ROUNDS[:1], "pairs of turns, got 1"),
        ([_human("Segment it."), _gpt(11)], "one marker IMAGE256, got 0"),
        ([ROUNDS[0], {"from": "gpt", "value": "Sure."}], "round 1 must have a marker MASK-DECODE"),
        (
            [ROUNDS[0], {"from": "gpt", "value": "[MASK-DECODE:a:b]"}],
            "image.dataset.id, got 'a:b'",
        ),
        ([ROUNDS[0], _gpt(99)], "annotation 99 is not in"),
        ([_gpt(11), ROUNDS[0]], "'from' must be 'human', got 'gpt'"),
        (
            [ROUNDS[0], {"from": "gpt", "value": "[MASK-DECODE:a|lvis|1]"}],
            "key of masks .*'lvis'",
        ),
    ],
)
def test_error_names_the_broken_conversation(tree, rounds, message):
    with pytest.raises(AnnotationError, match=rf"mr_val\.json, conversation 0: .*{message}"):
        _dataset(tree, rounds)
    kept = _dataset(tree, rounds, ROUNDS, corrupted="skip")
    assert [record["sample_id"] for record in kept.data_list] == ["1"]


def test_group_by_must_be_ref(tree):
    with pytest.raises(ValueError, match="group_by must be 'ref', one sample per conversation"):
        _dataset(tree, ROUNDS, group_by="expression")
