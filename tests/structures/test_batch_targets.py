import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.structures import InstanceData

from vgtoolbox.structures import BatchTargets, GroundingDataSample, denormalize_boxes

CPU = torch.device("cpu")


def _sample(count, size=(8, 12), seed=0):
    generator = torch.Generator().manual_seed(seed)
    corners = 4 * torch.rand(count, 2, generator=generator)
    boxes = torch.cat([corners, corners + 1 + torch.rand(count, 2, generator=generator)], 1)
    masks = torch.rand(count, *size, generator=generator) < 0.5
    return GroundingDataSample(gt_instances=InstanceData(boxes_xyxy=boxes, masks=masks))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4))
def test_all_targets_are_kept_and_the_rest_is_zero(counts):
    samples = [_sample(count, seed=index) for index, count in enumerate(counts)]
    targets = BatchTargets.from_samples(samples, (8, 12), CPU)
    most = max(counts)
    assert targets.boxes_cxcywh.shape == (len(counts), most, 4)
    assert targets.masks.shape == (len(counts), most, 8, 12)
    assert targets.is_valid.sum(1).tolist() == counts
    assert targets.no_target.tolist() == [count == 0 for count in counts]
    for index, (sample, count) in enumerate(zip(samples, counts, strict=True)):
        pixels = denormalize_boxes(targets.boxes_cxcywh[index, :count], (8, 12))
        torch.testing.assert_close(pixels, sample.gt_instances.boxes_xyxy)
        assert torch.equal(targets.masks[index, :count], sample.gt_instances.masks)
        assert not targets.masks[index, count:].any()
        assert not targets.boxes_cxcywh[index, count:].any()


def test_smaller_inputs_are_padded_at_the_right_and_bottom():
    sample = _sample(2, size=(8, 12))
    sample.gt_instances.boxes_xyxy = torch.tensor([[0.0, 0.0, 12.0, 8.0], [6.0, 4.0, 12.0, 8.0]])
    targets = BatchTargets.from_samples([sample], (16, 24), CPU)
    assert torch.equal(targets.masks[0, :, :8, :12], sample.gt_instances.masks)
    assert targets.masks.sum() == sample.gt_instances.masks.sum()
    expected = [[0.25, 0.25, 0.5, 0.5], [0.375, 0.375, 0.25, 0.25]]
    assert targets.boxes_cxcywh[0].tolist() == expected


def test_merged_mask_is_the_union():
    sample = _sample(3)
    targets = BatchTargets.from_samples([sample, _sample(0)], (8, 12), CPU)
    one, two, three = sample.gt_instances.masks
    assert torch.equal(targets.merged_masks[0], one | two | three)
    assert not targets.merged_masks[1].any()


def test_a_batch_without_targets():
    targets = BatchTargets.from_samples([_sample(0), _sample(0)], (8, 12), CPU)
    assert targets.boxes_cxcywh.shape == (2, 0, 4)
    assert targets.merged_masks.shape == (2, 8, 12)
    assert not targets.merged_masks.any()
    assert targets.no_target.all()


def test_masks_larger_than_the_input_raise():
    message = r"not be larger than the padded input, 8 x 8 .*, got 8 x 12"
    with pytest.raises(ValueError, match=message):
        BatchTargets.from_samples([_sample(1)], (8, 8), CPU)


def test_targets_without_masks_have_empty_masks():
    samples = [_sample(count, seed=count) for count in (2, 0, 1)]
    for sample in samples:
        del sample.gt_instances.masks
    targets = BatchTargets.from_samples(samples, (8, 12), CPU)
    assert targets.masks.shape == (3, 2, 0, 0)
    assert targets.is_valid.sum(1).tolist() == [2, 0, 1]
