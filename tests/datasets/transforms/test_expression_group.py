import numpy as np
import pytest
import torch
from torchvision import tv_tensors

from vgtoolbox.datasets.transforms import RandomHorizontalFlip, SampleExpressions


def record(seed=0):
    return {
        "expressions": ["a", "b", "c"],
        "targets": [{"ann_id": 1}, {"ann_id": 2}, {"ann_id": 3}],
        "expression_targets": [[2], [], [0, 2]],
        "rng": np.random.default_rng(seed),
    }


def test_all_expressions_are_kept_if_there_are_few():
    results = SampleExpressions(5)(record())
    assert results["sampled_expressions"] == [("a", [1]), ("b", []), ("c", [0, 1])]
    assert [target["ann_id"] for target in results["targets"]] == [1, 3]


def test_expressions_are_sampled_without_replacement():
    drawn = [SampleExpressions(2)(record(seed))["sampled_expressions"] for seed in range(20)]
    assert all(len({e for e, _ in each}) == 2 for each in drawn)
    assert {e for each in drawn for e, _ in each} == {"a", "b", "c"}


def test_expressions_without_expression_targets_name_all_targets():
    plain = record()
    del plain["expression_targets"]
    assert SampleExpressions(1)(plain)["sampled_expressions"][0][1] == [0, 1, 2]


def test_flip_swaps_sides_in_all_sampled_expressions():
    results = {**record(), "expressions": ["the left cup", "a", "right of the bright cup"]}
    results["image"] = tv_tensors.Image(torch.zeros(3, 4, 6, dtype=torch.uint8))
    mirrored = RandomHorizontalFlip(1.0)(SampleExpressions(3)(results))
    expected = [("the right cup", [1]), ("a", []), ("left of the bright cup", [0, 1])]
    assert mirrored["sampled_expressions"] == expected


def test_empty_samples_raise():
    with pytest.raises(ValueError, match="max_expressions must be 1 or more"):
        SampleExpressions(0)
    with pytest.raises(ValueError, match="a sentence or more, got none"):
        SampleExpressions(1)(record() | {"expressions": []})
