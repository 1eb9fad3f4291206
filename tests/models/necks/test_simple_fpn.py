import pytest
import torch

from vgtoolbox.models.necks import SimpleFPN
from vgtoolbox.registry import MODELS


def test_levels_are_four_two_one_and_half_the_resolution():
    levels = SimpleFPN(in_channels=16, out_channels=12)(torch.randn(2, 16, 6, 4))
    sizes = [(24, 16), (12, 8), (6, 4), (3, 2)]
    assert [tuple(level.shape) for level in levels] == [(2, 12, *size) for size in sizes]


def test_every_level_is_normalized_over_channels():
    for level in SimpleFPN(in_channels=16, out_channels=12)(5 * torch.randn(1, 16, 4, 4)):
        torch.testing.assert_close(level.mean(1), torch.zeros_like(level[:, 0]), atol=1e-5, rtol=0)


def test_levels_do_not_depend_on_each_other():
    neck = SimpleFPN(in_channels=8, out_channels=8)
    neck(torch.randn(1, 8, 4, 4))[2].square().sum().backward()
    touched = {name for name, parameter in neck.named_parameters() if parameter.grad is not None}
    assert touched == {
        f"{part}.2.{rest}"
        for part in ("laterals", "outputs")
        for rest in ("0.weight", "1.weight", "1.bias")
    }


def test_number_of_parameters_as_published():
    parameters = SimpleFPN(in_channels=256, out_channels=256).parameters()
    assert sum(parameter.numel() for parameter in parameters) == pytest.approx(2.84e6, rel=2e-3)


def test_it_accepts_the_last_map_of_an_mmdet_resnet(mmdet):
    resnet = MODELS.build(
        {"type": "mmdet.ResNet", "depth": 18, "base_channels": 8, "out_indices": (3,)}
    )
    resnet.eval()  # in mmdet, this returns None
    (feature_map,) = resnet(torch.randn(1, 3, 64, 96))  # stride 32, 8 * base_channels
    neck = MODELS.build({"type": "SimpleFPN", "in_channels": 64, "out_channels": 16})
    levels = neck(feature_map)
    assert [tuple(level.shape[2:]) for level in levels] == [(8, 12), (4, 6), (2, 3), (1, 1)]
    levels[0].square().sum().backward()
    assert resnet.conv1.weight.grad.abs().sum() > 0
