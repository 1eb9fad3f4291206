import pytest
import torch

from vgtoolbox.models.necks import DetailSemanticFusion


def build(**changes):
    torch.manual_seed(0)
    options = {"detail_channels": 16, "semantic_channels": 12, "num_heads": 2, "dropout": 0.0}
    return DetailSemanticFusion(**(options | changes)).eval()


@torch.no_grad()
def test_images_do_not_see_one_another():
    module = build()
    detail, semantic = torch.randn(2, 24, 16), torch.randn(2, 6, 12)
    together = module(detail, semantic, (4, 6))
    assert together.shape == (2, 24, 16)
    for i in range(2):
        own = module(detail[i : i + 1], semantic[i : i + 1], (4, 6))
        torch.testing.assert_close(together[i : i + 1], own, rtol=0, atol=1e-6)


def test_three_branches_in_order():
    """Attended patches, patches, upsampled states: the mixing weights of each reach it alone."""
    module = build()
    with torch.no_grad():
        module.mix.weight.zero_()
        module.mix.bias.zero_()
        module.mix.weight[:, 16:32] = torch.eye(16)
    detail = torch.randn(1, 4, 16)
    torch.testing.assert_close(module(detail, torch.randn(1, 1, 12), (2, 2)), detail)


def test_a_grid_that_does_not_fit():
    with pytest.raises(ValueError, match="5 image tokens for a grid of 4 x 6 patches"):
        build()(torch.randn(1, 24, 16), torch.randn(1, 5, 12), (4, 6))


def test_published_initial_weights():
    offsets = [
        build(init=init).upsample.offset.weight.detach().std() for init in ("default", "xavier")
    ]
    assert float(offsets[0]) < 0.005 < float(offsets[1])
