import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from vgtoolbox.datasets import group_collate
from vgtoolbox.datasets.transforms import (
    PackExpressionGroup,
    RandomHorizontalFlip,
    SampleExpressions,
)


def record(seed=0):
    return {
        "expressions": ["a", "b", "c"],
        "targets": [{"ann_id": 1}, {"ann_id": 2}, {"ann_id": 3}],
        "expression_targets": [[2], [], [0, 2]],
        "rng": np.random.default_rng(seed),
    }


def test_all_expressions_with_their_targets():
    results = SampleExpressions(5)(record())
    assert results["drawn"] == [("a", [1]), ("b", []), ("c", [0, 1])]
    assert [target["ann_id"] for target in results["targets"]] == [1, 3]


def test_as_many_as_wanted_without_replacement():
    drawn = [SampleExpressions(2)(record(seed))["drawn"] for seed in range(20)]
    assert all(len({e for e, _ in each}) == 2 for each in drawn)
    assert {e for each in drawn for e, _ in each} == {"a", "b", "c"}


def test_where_all_expressions_name_all_targets():
    plain = record()
    del plain["expression_targets"]
    assert SampleExpressions(1)(plain)["drawn"][0][1] == [0, 1, 2]


def test_a_mirrored_image_swaps_the_sides_of_all_that_is_drawn():
    results = {**record(), "expressions": ["the left cup", "a", "right of the bright cup"]}
    results["image"] = tv_tensors.Image(torch.zeros(3, 4, 6, dtype=torch.uint8))
    mirrored = RandomHorizontalFlip(1.0)(SampleExpressions(3)(results))
    expected = [("the right cup", [1]), ("a", []), ("left of the bright cup", [0, 1])]
    assert mirrored["drawn"] == expected


def test_impossible_draws():
    with pytest.raises(ValueError, match="max_expressions must be 1 or more"):
        SampleExpressions(0)
    with pytest.raises(ValueError, match="no sentence"):
        SampleExpressions(1)(record() | {"expressions": []})


def packed(count):
    masks = torch.zeros(2, 4, 6, dtype=torch.bool)
    masks[0, :2], masks[1, 2:] = True, True
    boxes = torch.tensor([[0.0, 0, 6, 2], [0.0, 2, 6, 4]])
    return PackExpressionGroup()(
        {
            "image": tv_tensors.Image(torch.zeros(3, 4, 6, dtype=torch.uint8)),
            "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(4, 6)),
            "masks": tv_tensors.Mask(masks),
            "drawn": [("one", [1]), ("none", []), ("both", [0, 1])][:count],
            "ori_shape": (4, 6),
            "sample_idx": 7,
        }
    )


def test_each_sample_has_its_own_targets():
    samples = packed(3)["data_samples"]
    assert [sample.expression for sample in samples] == ["one", "none", "both"]
    assert [len(sample.gt_instances) for sample in samples] == [1, 0, 2]
    assert [sample.no_target for sample in samples] == [False, True, False]
    assert samples[0].gt_instances.boxes_xyxy.tolist() == [[0, 2, 6, 4]]
    assert bool(samples[0].gt_instances.masks[0, 2:].all())


def test_a_batch_tells_the_image_of_each_sample():
    batch = group_collate([packed(3), packed(1)])
    assert batch["inputs"]["images"].shape == (2, 3, 4, 6)
    assert batch["inputs"]["image_index"].tolist() == [0, 0, 0, 1]
    assert len(batch["data_samples"]) == 4
