import copy
import pickle

import pytest
import torch
from mmengine.structures import InstanceData

from vgtoolbox.structures import GroundingDataSample, empty_rle, encode_masks


def _targets(count, height=4, width=6):
    return InstanceData(
        boxes_xyxy=torch.tensor([[0.0, 1.0, 3.0, 4.0]]).repeat(count, 1),
        masks=torch.ones(count, height, width, dtype=torch.bool),
    )


def _original_targets(count, size=(8, 12)):
    return InstanceData(
        boxes_xyxy=torch.tensor([[0.0, 1.0, 3.0, 4.0]]).repeat(count, 1),
        masks=[empty_rle(size)] * count,
    )


def _sample(**fields):
    meta = {"sample_idx": 0, "ori_shape": (8, 12), "img_shape": (4, 6), "expression": "a dog"}
    return GroundingDataSample(metainfo=meta, **fields)


def _predictions(count, size=(8, 12), **changes):
    fields = {
        "boxes_xyxy": torch.zeros(count, 4),
        "scores": torch.full((count,), 0.5),
        "masks": [empty_rle(size)] * count,
    }
    return InstanceData(**{**fields, **changes})


def test_fields_are_kept():
    sample = _sample(
        token_ids=torch.tensor([0, 5, 2, 1]),
        text_padding_mask=torch.tensor([False, False, False, True]),
        gt_instances=_targets(2),
        gt_instances_ori=_original_targets(2),
        pred_instances=_predictions(3),
        pred_merged_mask=empty_rle((8, 12)),
        pred_existence=0.25,
        pred_no_target=True,
    )
    assert sample.expression == "a dog"
    assert len(sample.gt_instances) == 2
    assert len(sample.gt_instances_ori) == 2
    assert len(sample.pred_instances) == 3
    assert sample.token_ids.tolist() == [0, 5, 2, 1]
    assert (sample.pred_existence, sample.pred_no_target) == (0.25, True)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_no_target_means_zero_targets(count):
    assert _sample(gt_instances=_targets(count)).no_target is (count == 0)
    assert _sample(gt_instances_ori=_original_targets(count)).no_target is (count == 0)


def test_no_target_is_unknown_without_ground_truth():
    with pytest.raises(AttributeError, match="has no ground truth"):
        _ = _sample().no_target


def test_zero_predictions():
    sample = _sample(pred_instances=_predictions(0))
    assert len(sample.pred_instances) == 0


@pytest.mark.parametrize("copied", [lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy])
def test_copies_keep_all_fields(copied):
    sample = _sample(gt_instances=_targets(2), gt_instances_ori=_original_targets(2))
    other = copied(sample)
    assert other.metainfo == sample.metainfo
    assert torch.equal(other.gt_instances.masks, sample.gt_instances.masks)
    assert other.gt_instances_ori.masks == sample.gt_instances_ori.masks


def test_moving_a_sample_keeps_its_masks():
    moved = _sample(gt_instances=_targets(2), gt_instances_ori=_original_targets(1)).to("cpu")
    assert torch.equal(moved.gt_instances.masks, _targets(2).masks)
    assert moved.gt_instances_ori.masks == [empty_rle((8, 12))]


def test_masks_of_predictions_have_the_size_of_their_frame():
    _sample(pred_instances=_predictions(1, size=(8, 12)))
    message = r"pred_instances\.masks\[0\] must have the size .* \[8, 12\], got \[4, 6\]"
    with pytest.raises(ValueError, match=message):
        _sample(pred_instances=_predictions(1, size=(4, 6)))
    in_input_frame = _sample()
    in_input_frame.set_metainfo({"pred_frame": "input"})
    in_input_frame.pred_instances = _predictions(1, size=(4, 6))
    in_input_frame.pred_merged_mask = empty_rle((4, 6))


BROKEN = [
    (
        "token_ids",
        torch.tensor([1.0]),
        "token_ids must be a tensor of torch.int64 with 1 dimension, got torch.float32",
    ),
    ("token_ids", [1, 2], "got list"),
    ("text_padding_mask", torch.zeros(3), "text_padding_mask must be"),
    ("gt_instances", InstanceData(boxes_xyxy=torch.zeros(2, 3)), r"gt_instances\.boxes_xyxy must"),
    (
        "gt_instances",
        InstanceData(boxes_xyxy=torch.zeros(1, 4), masks=torch.zeros(1, 4, 6)),
        r"gt_instances\.masks must be .* torch\.bool .*, got torch\.float32",
    ),
    ("gt_instances_ori", _original_targets(1, size=(4, 4)), r"\[8, 12\], got \[4, 4\]"),
    (
        "gt_instances_ori",
        InstanceData(boxes_xyxy=torch.zeros(1, 4), masks=["x"]),
        "must be a run-length encoding .*, got x",
    ),
    ("pred_instances", _predictions(1, scores=torch.tensor([1.5])), "scores must be between 0 and"),
    ("pred_instances", _predictions(1, scores=torch.tensor([float("nan")])), "must be between 0"),
    (
        "pred_instances",
        _predictions(1, boxes_xyxy=torch.tensor([[3.0, 0, 1, 1]])),
        "must be a box",
    ),
    ("pred_merged_mask", encode_masks(torch.zeros(1, 4, 4))[0], r"pred_merged_mask\[0\] must have"),
    ("pred_existence", 1.2, r"pred_existence must be between 0 and 1, got 1\.2"),
    ("pred_existence", float("nan"), "must be between 0 and 1, got nan"),
]


@pytest.mark.parametrize(("field", "value", "message"), BROKEN)
def test_invalid_fields_raise_on_construction_and_on_assignment(field, value, message):
    with pytest.raises(ValueError, match=message):
        _sample(**{field: value})
    sample = _sample()
    with pytest.raises(ValueError, match=message):
        setattr(sample, field, value)


def test_the_padding_mask_must_be_as_long_as_the_tokens():
    message = r"text_padding_mask must be as long as token_ids \(3\), got length 2"
    with pytest.raises(ValueError, match=message):
        _sample(token_ids=torch.tensor([0, 5, 2]), text_padding_mask=torch.tensor([False, False]))


def test_the_no_target_decision_must_be_a_bool():
    with pytest.raises(AssertionError):
        _sample(pred_no_target=1)


@pytest.mark.parametrize("points", [torch.zeros(2, 3), torch.tensor([[float("nan"), 0.0]])])
def test_invalid_points_raise(points):
    instances = InstanceData(boxes_xyxy=torch.zeros(len(points), 4), points_xy=points)
    with pytest.raises(ValueError, match=r"gt_instances\.points_xy must be finite"):
        GroundingDataSample(gt_instances=instances)
