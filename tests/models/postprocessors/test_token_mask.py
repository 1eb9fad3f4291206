import pytest
import torch

from vgtoolbox.models.postprocessors import TokenMaskPostprocessor
from vgtoolbox.structures import GroundingDataSample, decode_masks


def predict(logits, *, no_target=False, ori_shape=(8, 12), img_shape=(4, 4), **options):
    sample = GroundingDataSample(metainfo={"ori_shape": ori_shape, "img_shape": img_shape})
    masks = logits if logits.ndim == 3 else logits[None]
    TokenMaskPostprocessor(**options)(sample, masks, existence=0.75, no_target=no_target)
    return sample


def upper_half():
    logits = torch.full((4, 4), -9.0)
    logits[:2] = 9.0
    return logits


@pytest.mark.parametrize("resize", ["logits", "probabilities"])
def test_mask_and_box_in_the_original_image(resize):
    sample = predict(upper_half(), resize=resize)
    mask = decode_masks([sample.pred_merged_mask])[0]
    assert mask.shape == (8, 12)
    assert bool(mask[:4].all())
    assert int(mask.sum()) == 48
    assert sample.pred_instances.boxes_xyxy.tolist() == [[0, 0, 12, 4]]
    assert sample.pred_instances.scores.tolist() == [0.75]
    assert sample.pred_instances.masks == [sample.pred_merged_mask]
    assert sample.pred_frame == "original"
    assert sample.pred_existence == 0.75
    assert sample.pred_no_target is False


def test_each_mask_is_an_instance_and_all_are_merged():
    left = torch.full((4, 4), -9.0)
    left[:, :2] = 9.0
    sample = predict(torch.stack([upper_half(), torch.full((4, 4), -9.0), left]))
    assert sample.pred_instances.boxes_xyxy.tolist() == [[0, 0, 12, 4], [0, 0, 6, 8]]
    assert sample.pred_instances.scores.tolist() == [0.75, 0.75]
    merged = decode_masks([sample.pred_merged_mask])[0]
    assert torch.equal(merged, decode_masks(sample.pred_instances.masks).any(0))
    assert int(merged.sum()) == 48 + 24


def test_an_answer_without_a_token_has_an_empty_mask():
    sample = predict(torch.zeros(0, 4, 4), no_target=True, keep_rejected=True)
    assert int(decode_masks([sample.pred_merged_mask])[0].sum()) == 0
    assert len(sample.pred_instances) == 0


def test_padding_is_removed():
    sample = predict(upper_half(), img_shape=(2, 4), ori_shape=(6, 6))
    assert int(decode_masks([sample.pred_merged_mask])[0].sum()) == 36


def test_rejected_expression_has_no_mask():
    sample = predict(upper_half(), no_target=True)
    assert int(decode_masks([sample.pred_merged_mask])[0].sum()) == 0
    assert len(sample.pred_instances) == 0
    assert sample.pred_no_target is True


def test_keep_rejected_keeps_the_mask():
    sample = predict(upper_half(), no_target=True, keep_rejected=True)
    assert int(decode_masks([sample.pred_merged_mask])[0].sum()) == 48
    assert len(sample.pred_instances) == 1


@pytest.mark.parametrize("own_decision", [False, True])
def test_existence_threshold_overrides_the_decision_of_the_model(own_decision):
    for existence_thr, rejected in ((0.75, False), (0.76, True)):
        sample = predict(upper_half(), no_target=own_decision, existence_thr=existence_thr)
        assert sample.pred_no_target is rejected
        assert len(sample.pred_instances) == 1 - rejected


def test_empty_mask_has_no_box():
    sample = predict(torch.full((4, 4), -9.0))
    assert len(sample.pred_instances) == 0
    assert sample.pred_no_target is False


def test_probabilities_and_logits_differ_between_pixels():
    logits = torch.tensor([[-1.0, 9.0]])
    areas = [
        int(
            decode_masks(
                [predict(logits, ori_shape=(1, 40), img_shape=(1, 2), resize=r).pred_merged_mask]
            ).sum()
        )
        for r in ("logits", "probabilities")
    ]
    assert areas[0] > areas[1] > 20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask_thr": 1.0}, "mask_thr must be between 0 and 1, both exclusive, got 1.0"),
        ({"existence_thr": 50}, "existence_thr must be between 0 and 1, got 50"),
        ({"resize": "nearest"}, "resize must be 'logits' or 'probabilities', got 'nearest'"),
    ],
)
def test_invalid_options(options, message):
    with pytest.raises(ValueError, match=message):
        TokenMaskPostprocessor(**options)
