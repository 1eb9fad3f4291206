import pytest
import torch
from torch.nn import functional as F

from vgtoolbox.models.layers import DySample


def zero_offsets(channels=8, groups=4, scale=2):
    module = DySample(channels=channels, groups=groups, scale=scale)
    torch.nn.init.zeros_(module.offset.weight)
    return module


@pytest.mark.parametrize("scale", [2, 3])
def test_without_offsets_upsampling_is_bilinear(scale):
    x = torch.randn(2, 8, 5, 4)
    expected = F.interpolate(x, scale_factor=scale, mode="bilinear", align_corners=False)
    torch.testing.assert_close(zero_offsets(scale=scale)(x), expected)


def test_subpixel_centers_equal_the_published_buffer():
    centers = zero_offsets().init_pos.flatten()
    assert centers.tolist() == [-0.25, 0.25, -0.25, 0.25] * 4 + [-0.25, -0.25, 0.25, 0.25] * 4


def test_an_offset_of_four_moves_by_one_input_pixel():
    module = zero_offsets(channels=2, groups=1)
    with torch.no_grad():
        module.offset.bias[:4] = 4.0  # x of the four sub-pixels, times 0.25
    x = torch.arange(6.0).expand(1, 2, 3, 6)
    expected = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(module(x)[..., 2:8], expected[..., 4:10])


def test_groups_move_independently():
    module = zero_offsets(channels=4, groups=2)
    with torch.no_grad():
        module.offset.bias[4:8] = 8.0  # x of the second group
    x = torch.randn(1, 4, 3, 3)
    plain = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    moved = module(x)
    torch.testing.assert_close(moved[:, :2], plain[:, :2])
    assert not torch.allclose(moved[:, 2:], plain[:, 2:])


def test_channels_must_be_a_multiple_of_groups():
    with pytest.raises(ValueError, match="channels must be a multiple of groups=4, got 6"):
        DySample(channels=6)
