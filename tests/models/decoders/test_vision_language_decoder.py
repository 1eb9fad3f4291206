import pytest
import torch

from vgtoolbox.models.decoders import VisionLanguageDecoder


@pytest.fixture
def inputs():
    torch.manual_seed(0)
    padding = torch.tensor([[False] * 4, [False, False, True, True]])
    return torch.randn(2, 9, 8), torch.randn(2, 4, 8), padding


def _build(num_layers):
    return VisionLanguageDecoder(
        channels=8, num_layers=num_layers, num_heads=2, ffn_channels=12
    ).eval()


@pytest.mark.parametrize("num_layers", [1, 3])
def test_padding_does_not_matter(inputs, num_layers):
    image, text, padding = inputs
    decoder = _build(num_layers)
    before = decoder(image, text, padding)
    assert before.shape == image.shape
    after = decoder(image, text.masked_fill(padding[..., None], 9.0), padding)
    torch.testing.assert_close(before, after)
    assert not torch.allclose(before, decoder(image, text.flip(2), padding))


def test_without_layers_only_the_norm_is_applied(inputs):
    image, text, padding = inputs
    found = _build(0)(image, text, padding)
    torch.testing.assert_close(found, torch.nn.functional.layer_norm(image, (8,)))


def test_order_of_image_tokens_does_not_matter(inputs):
    image, text, padding = inputs
    decoder, order = _build(2), torch.randperm(9)
    expected = decoder(image, text, padding)[:, order]
    torch.testing.assert_close(decoder(image[:, order], text, padding), expected)
