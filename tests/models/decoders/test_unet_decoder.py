import torch
from torch.nn import functional as F

from vgtoolbox.models.decoders import UNetDecoder


def _levels(batch=2, channels=8, finest=16):
    return [torch.randn(batch, channels, finest >> i, finest >> i) for i in range(4)]


def test_result_has_the_finest_resolution():
    assert UNetDecoder(channels=8)(_levels()).shape == (2, 8, 16, 16)


def test_sizes_of_levels_can_be_odd():
    levels = [torch.randn(1, 8, *size) for size in ((20, 12), (10, 6), (5, 3), (2, 1))]
    assert UNetDecoder(channels=8)(levels).shape == (1, 8, 20, 12)


def test_every_level_receives_gradients():
    decoder = UNetDecoder(channels=8).eval()
    levels = [level.requires_grad_() for level in _levels()]
    decoder(levels).sum().backward()
    assert all(level.grad.abs().sum() > 0 for level in levels)


def test_a_stage_upsamples_with_aligned_corners():
    decoder = UNetDecoder(channels=2, num_levels=2).eval()
    fine, coarse = torch.zeros(1, 2, 4, 4), torch.randn(1, 2, 2, 2)
    enlarged = F.interpolate(coarse, (4, 4), mode="bilinear", align_corners=True)
    expected = decoder.stages[0](torch.cat([enlarged, fine], 1))
    torch.testing.assert_close(decoder([fine, coarse]), expected)


def test_number_of_parameters_as_published():
    decoder = UNetDecoder(channels=256)
    convolutions = 3 * (9 * 512 * 256 + 9 * 256 * 256)  # no biases
    norms = 3 * 2 * 2 * 256
    assert sum(p.numel() for p in decoder.parameters()) == convolutions + norms
