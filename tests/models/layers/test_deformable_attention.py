import pytest
import torch
from torch import nn

from vgtoolbox.models.layers import MultiScaleDeformableAttention

SIZES = [(8, 6), (4, 3), (2, 2)]
CELLS = sum(h * w for h, w in SIZES)


@pytest.fixture
def attention():
    torch.manual_seed(0)
    layer = MultiScaleDeformableAttention(8, num_heads=2, num_levels=3, num_points=4)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    return layer


def _transparent(size_of_channels=4):
    """One head that reads exactly at the reference and leaves values as they are."""
    layer = MultiScaleDeformableAttention(size_of_channels, num_heads=1, num_levels=1, num_points=1)
    nn.init.zeros_(layer.sampling_offsets.bias)
    for linear in (layer.value_proj, layer.output_proj):
        nn.init.eye_(linear.weight)
    return layer


def test_agrees_with_mmcv(mmdet, attention):
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    query, value = torch.randn(2, 5, 8), torch.randn(2, CELLS, 8)
    references = torch.rand(2, 5, 2) * 1.5  # also outside the image
    offsets = attention.sampling_offsets(query).view(2, 5, 2, 3, 4, 2)
    extent = torch.tensor([[w, h] for h, w in SIZES])
    expected = multi_scale_deformable_attn_pytorch(
        attention.value_proj(value).view(2, CELLS, 2, 4),
        torch.tensor(SIZES),
        references[:, :, None, None, None] + offsets / extent[:, None],
        attention.attention_weights(query).view(2, 5, 2, 12).softmax(3).view(2, 5, 2, 3, 4),
    )
    ours = attention(query, references, value, SIZES)
    torch.testing.assert_close(ours, attention.output_proj(expected), rtol=1e-4, atol=1e-5)


def test_reads_bilinearly_at_the_reference():
    height, width = 4, 8
    ramp = torch.stack(
        torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), 2
    ).float()
    value = torch.cat([ramp, torch.zeros_like(ramp)], 2).view(1, -1, 4)  # (row, column, 0, 0)
    references = torch.tensor([[[0.5, 0.5], [0.25, 0.375], [1 / 16, 7 / 8]]])  # x, y
    read = _transparent()(torch.zeros(1, 3, 4), references, value, [(height, width)])
    # Cell centres lie at halves: column = x * width - 0.5, row = y * height - 0.5.
    expected = [[1.5, 3.5], [1.0, 1.5], [3.0, 0.0]]
    torch.testing.assert_close(read[0, :, :2], torch.tensor(expected))


def test_outside_of_the_image_is_zero():
    references = torch.tensor([[[1.6, 0.5], [0.5, -0.4]]])
    read = _transparent()(torch.zeros(1, 2, 4), references, torch.ones(1, 36, 4), [(6, 6)])
    assert torch.equal(read, torch.zeros(1, 2, 4))


def test_starts_as_a_ring_of_one_direction_a_head_and_one_radius_a_point():
    layer = MultiScaleDeformableAttention(16, num_heads=4, num_levels=2, num_points=3)
    offsets = layer.sampling_offsets(torch.randn(1, 16)).view(4, 2, 3, 2)
    directions = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    expected = directions[:, None, None] * torch.arange(1, 4).view(1, 1, 3, 1)
    torch.testing.assert_close(offsets, expected.expand_as(offsets), atol=1e-6, rtol=0)
    weights = layer.attention_weights(torch.randn(1, 16))
    assert torch.equal(weights, torch.zeros(1, 24))


def test_gradients_reach_every_input_and_parameter(attention):
    query, value = torch.randn(1, 3, 8), torch.randn(1, CELLS, 8)
    references = torch.rand(1, 3, 2)
    leaves = [tensor.requires_grad_() for tensor in (query, references, value)]
    attention(query, references, value, SIZES).square().sum().backward()
    for tensor in [*leaves, *attention.parameters()]:
        assert tensor.grad.abs().sum() > 0


def test_channels_that_heads_do_not_divide():
    with pytest.raises(ValueError, match=r"channels \(10\) must be a multiple of num_heads \(4\)"):
        MultiScaleDeformableAttention(10, num_heads=4)
