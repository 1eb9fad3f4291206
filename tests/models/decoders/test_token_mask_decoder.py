import pytest
import torch
from torch import nn

from vgtoolbox.models.decoders import TokenMaskDecoder
from vgtoolbox.models.necks import DetailSemanticFusion


def build(**changes):
    torch.manual_seed(0)
    options = {"channels": 16, "text_channels": 12, "num_heads": 2, "cell_size": 4}
    return TokenMaskDecoder(**(options | changes)).eval()


@pytest.mark.parametrize(
    ("width", "count"), [(4096, 34_385_542), (2048, 30_191_238), (896, 27_831_942)]
)
def test_number_of_parameters_as_published(width, count):
    with torch.device("meta"):
        parts = [
            DetailSemanticFusion(semantic_channels=width),
            TokenMaskDecoder(text_channels=width),
        ]
    assert sum(p.numel() for part in parts for p in part.parameters()) == count


@torch.no_grad()
def test_attention_to_one_token_equals_its_value():
    """Outside training only the value is computed, since the queries have no effect."""
    module = build().attend
    x, memory = torch.randn(3, 10, 16), torch.randn(3, 1, 16)
    value_only = module.cross_attention(module.self_attention(x), memory)
    torch.testing.assert_close(value_only, module(x, memory))


@torch.no_grad()
def test_masks_of_tokens_that_share_an_image_equal_those_computed_separately():
    module = build()
    fused, text = torch.randn(2, 6, 16), torch.randn(3, 12)
    index = [0, 0, 1]
    together = module(module.prepare(fused)[index], text, (2, 3))
    assert together.shape == (3, 8, 12)
    for i, image in enumerate(index):
        own = module(module.prepare(fused[image][None]), text[i][None], (2, 3))
        torch.testing.assert_close(together[i], own[0], rtol=0, atol=1e-5)


@torch.no_grad()
def test_cells_are_unfolded_row_by_row():
    module = build(cell_size=2)
    for parameter in module.refine.parameters():
        parameter.zero_()
    module.refine.weight[0, 0, 2, 2] = 1.0
    module.unfold = torch.nn.Conv2d(16, 4, 1)
    module.unfold.weight.zero_()
    module.unfold.bias.copy_(torch.arange(4.0))
    masks = module(torch.randn(1, 2, 16), torch.randn(1, 12), (1, 2))
    assert masks[0].tolist() == [[0, 1, 0, 1], [2, 3, 2, 3]]


def test_no_tokens_give_no_masks():
    module = build().train()
    masks = module(torch.randn(0, 6, 16), torch.randn(0, 12), (2, 3))
    assert masks.shape == (0, 8, 12)


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_every_weight_receives_gradients(norm):
    module = build(norm=norm, dropout=0.0).train()
    module(
        module.prepare(torch.randn(2, 6, 16)), torch.randn(2, 12), (2, 3)
    ).square().sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_group_norm_does_not_depend_on_the_batch():
    module = build(norm="group", dropout=0.0).train()
    prepared, text = torch.randn(2, 6, 16), torch.randn(2, 12)
    both = module(prepared, text, (2, 3))
    torch.testing.assert_close(both[:1], module(prepared[:1], text[:1], (2, 3)))


def test_identity_refinement_keeps_the_unfolded_cells():
    module = build(refine_init="identity").eval()
    unfolded = []
    module.unfold.register_forward_hook(lambda _, __, output: unfolded.append(output))
    masks = module(torch.randn(2, 6, 16), torch.randn(2, 12), (2, 3))
    expected = nn.functional.pixel_shuffle(unfolded[0], module.cell_size)[:, 0] - 1.0
    torch.testing.assert_close(masks, expected)
    assert (masks < 0).float().mean() > 0.5


def test_unknown_options_raise():
    with pytest.raises(ValueError, match="norm must be 'batch' or 'group', got 'layer'"):
        build(norm="layer")
    with pytest.raises(ValueError, match="init must be 'default' or 'xavier', got 'published'"):
        build(init="published")
    with pytest.raises(ValueError, match="refine_init must be 'random' or 'identity', got 'zero'"):
        build(refine_init="zero")
