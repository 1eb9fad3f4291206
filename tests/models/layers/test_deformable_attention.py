import pytest
import torch
from torch import nn

from vgtoolbox.models.layers import MultiScaleDeformableAttention

SIZES = [(8, 6), (4, 3), (2, 2)]


@pytest.fixture
def attention():
    torch.manual_seed(0)
    layer = MultiScaleDeformableAttention(8, num_heads=2, num_levels=3, num_points=4)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    return layer


def _levels(channels, batch=1):
    return [torch.randn(batch, channels, *size) for size in SIZES]


def _identity_attention(channels=4):
    """Return an attention whose one head reads exactly at the reference and keeps values."""
    layer = MultiScaleDeformableAttention(channels, num_heads=1, num_levels=1, num_points=1)
    nn.init.zeros_(layer.sampling_offsets.bias)
    for linear in (layer.value_proj, layer.output_proj):
        nn.init.eye_(linear.weight)
    return layer


def test_agrees_with_mmcv(mmdet, attention):
    from mmcv.ops.multi_scale_deform_attn import multi_scale_deformable_attn_pytorch

    query, levels = torch.randn(2, 5, 8), _levels(8, batch=2)
    references = torch.rand(2, 5, 2) * 1.5  # also outside the image, and across its edge
    value = torch.cat([level.flatten(2) for level in levels], 2).transpose(1, 2)
    offsets = attention.sampling_offsets(query).view(2, 5, 2, 3, 4, 2)
    extent = torch.tensor([[w, h] for h, w in SIZES])
    expected = multi_scale_deformable_attn_pytorch(
        attention.value_proj(value).unflatten(2, (2, 4)),
        torch.tensor(SIZES),
        references[:, :, None, None, None] + offsets / extent[:, None],
        attention.attention_weights(query).view(2, 5, 2, 12).softmax(3).view(2, 5, 2, 3, 4),
    )
    ours = attention(query, references, levels)
    torch.testing.assert_close(ours, attention.output_proj(expected), rtol=1e-4, atol=1e-5)


def test_reads_bilinearly_at_the_reference():
    height, width = 4, 8
    ramp = torch.stack(
        torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"), 2
    ).float()
    ramp = torch.cat([ramp, torch.zeros_like(ramp)], 2).permute(2, 0, 1)  # (row, column, 0, 0)
    references = torch.tensor([[[0.5, 0.5], [0.25, 0.375], [1 / 16, 7 / 8]]])  # x, y
    read = _identity_attention()(torch.zeros(1, 3, 4), references, [ramp[None]])
    # The centers of cells are at halves: column = x * width - 0.5, row = y * height - 0.5.
    expected = [[1.5, 3.5], [1.0, 1.5], [3.0, 0.0]]
    torch.testing.assert_close(read[0, :, :2], torch.tensor(expected))


def test_samples_outside_the_image_are_zero():
    references = torch.tensor([[[1.6, 0.5], [0.5, -0.4]]])
    layer = _identity_attention()
    nn.init.ones_(layer.value_proj.bias)
    read = layer(torch.zeros(1, 2, 4), references, [torch.ones(1, 4, 6, 6)])
    assert torch.equal(read, torch.zeros(1, 2, 4))


def test_values_and_bias_fade_equally_across_the_border():
    layer = _identity_attention()
    nn.init.ones_(layer.value_proj.bias)
    # In cells of a map of 6 x 6, the references are at x = 0, 6.25 and 3; y = 3.
    references = torch.tensor([[[0.0, 0.5], [6.25 / 6, 0.5], [0.5, 0.5]]])
    read = layer(torch.zeros(1, 3, 4), references, [torch.ones(1, 4, 6, 6)])
    expected = torch.tensor([0.5, 0.25, 1.0]) * (1 + 1)  # value and bias
    torch.testing.assert_close(read[0], expected[:, None].expand(3, 4))


def test_levels_can_be_in_channels_last_format(attention):
    query, references, levels = torch.randn(2, 3, 8), torch.rand(2, 3, 2), _levels(8, batch=2)
    last = [level.to(memory_format=torch.channels_last) for level in levels]
    torch.testing.assert_close(
        attention(query, references, last), attention(query, references, levels)
    )


def test_initial_points_are_a_ring_with_one_direction_per_head_and_one_radius_per_point():
    layer = MultiScaleDeformableAttention(16, num_heads=4, num_levels=2, num_points=3)
    offsets = layer.sampling_offsets(torch.randn(1, 16)).view(4, 2, 3, 2)
    directions = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    expected = directions[:, None, None] * torch.arange(1, 4).view(1, 1, 3, 1)
    torch.testing.assert_close(offsets, expected.expand_as(offsets), atol=1e-6, rtol=0)
    weights = layer.attention_weights(torch.randn(1, 16))
    assert torch.equal(weights, torch.zeros(1, 24))


def test_gradients_reach_every_input_and_parameter(attention):
    query, references, levels = torch.randn(1, 3, 8), torch.rand(1, 3, 2), _levels(8)
    leaves = [tensor.requires_grad_() for tensor in (query, references, *levels)]
    attention(query, references, levels).square().sum().backward()
    for tensor in [*leaves, *attention.parameters()]:
        assert tensor.grad.abs().sum() > 0


def test_channels_must_be_a_multiple_of_heads():
    with pytest.raises(ValueError, match="channels must be a multiple of num_heads=4, got 10"):
        MultiScaleDeformableAttention(10, num_heads=4)
