import pytest
import torch

from vgtoolbox.models.layers import PostNormFeedForward, PostNormSelfAttention


@pytest.fixture(params=["attention", "feed forward"])
def block(request):
    torch.manual_seed(0)
    if request.param == "attention":
        layer = PostNormSelfAttention(8, 2, dropout=0.5)
        return layer, lambda x: layer(x, torch.zeros_like(x))
    layer = PostNormFeedForward(8, 16, dropout=0.5)
    return layer, layer


def test_output_is_normalized_over_channels(block):
    layer, run = block
    layer.eval()
    out = run(torch.randn(2, 5, 8) * 7)
    assert out.shape == (2, 5, 8)
    torch.testing.assert_close(out.mean(2), torch.zeros(2, 5), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(2, unbiased=False), torch.ones(2, 5), atol=1e-3, rtol=0)


def test_dropout_acts_only_in_training(block):
    layer, run = block
    x = torch.randn(2, 5, 8)
    layer.train()
    assert not torch.equal(run(x), run(x))
    layer.eval()
    assert torch.equal(run(x), run(x))


def test_without_positions_attention_ignores_order():
    layer = PostNormSelfAttention(8, 2, dropout=0.0)
    x, order = torch.randn(1, 6, 8), torch.randperm(6)
    no_position = torch.zeros_like(x)
    torch.testing.assert_close(layer(x, no_position)[:, order], layer(x[:, order], no_position))
    position = torch.randn(1, 6, 8)
    assert not torch.allclose(layer(x, position)[:, order], layer(x[:, order], position))


def test_positions_are_not_added_to_values():
    layer = PostNormSelfAttention(8, 2, dropout=0.0)
    same = torch.randn(1, 1, 8).expand(1, 4, 8)  # whatever is attended to, the value is the same
    torch.testing.assert_close(layer(same, torch.randn(1, 4, 8)), layer(same, torch.zeros(1, 4, 8)))
