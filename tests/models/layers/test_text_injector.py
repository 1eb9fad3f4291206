import pytest
import torch

from vgtoolbox.models.layers import TextInjector


@pytest.fixture
def inputs():
    torch.manual_seed(0)
    padding = torch.tensor([[False] * 5, [False, False, True, True, True]])
    return torch.randn(2, 3, 4, 8), torch.randn(2, 5, 8), padding


def _build(**changes):
    torch.manual_seed(1)
    return TextInjector(embed_dim=8, num_heads=2, bottleneck=3, **changes).eval()


def test_patches_read_only_the_words_of_their_own_expression(inputs):
    patches, text, padding = inputs
    injector = _build()
    before = injector(patches, text, padding)
    assert before.shape == patches.shape
    other = text.clone()
    other[1] += 1
    after = injector(patches, other * torch.linspace(1, 2, 8), padding)
    assert not torch.allclose(before, after)
    same = text.clone()
    same[1] = -same[1]
    after = injector(patches, same, padding)
    assert torch.equal(before[0], after[0])
    assert not torch.allclose(before[1], after[1])


@pytest.mark.parametrize("mask_padding", [False, True])
def test_padding_is_attended_to_unless_it_is_masked(inputs, mask_padding):
    patches, text, padding = inputs
    injector = _build(mask_padding=mask_padding)
    before = injector(patches, text, padding)
    text = text.masked_fill(padding[..., None], 0.0)
    text[padding, 0] = 3.0
    after = injector(patches, text, padding)
    assert torch.allclose(before[1], after[1], atol=1e-6) == mask_padding


def test_patches_are_queries_without_normalization(inputs):
    patches, text, padding = inputs
    injector = _build()
    adapted = injector.norm(text)
    adapted = adapted + injector.up(injector.down(adapted).clamp(min=0))
    expected, _ = injector.attention(patches.flatten(1, 2), adapted, adapted)
    torch.testing.assert_close(injector(patches, text, padding).flatten(1, 2), expected)


@pytest.mark.parametrize("mask_padding", [False, True])
def test_attention_weights_sum_to_one_over_the_words(inputs, mask_padding):
    patches, text, padding = inputs
    weights = _build(mask_padding=mask_padding).attention_weights(patches, text, padding)
    assert weights.shape == (2, 5, 3, 4)
    torch.testing.assert_close(weights.sum(1), torch.ones(2, 3, 4))
    hidden = weights[1, 2:]  # the padding of the second expression
    assert bool((hidden == 0).all()) == mask_padding
    assert bool((hidden > 0).all()) != mask_padding
