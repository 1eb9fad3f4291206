import pytest
import torch

from vgtoolbox.models.necks import DetailSemanticFusion


def build(**changes):
    torch.manual_seed(0)
    options = {"detail_channels": 16, "semantic_channels": 12, "num_heads": 2, "dropout": 0.0}
    return DetailSemanticFusion(**(options | changes)).eval()


@torch.no_grad()
def test_images_do_not_depend_on_each_other():
    module = build()
    detail, semantic = torch.randn(2, 24, 16), torch.randn(2, 6, 12)
    together = module(detail, semantic, (4, 6))
    assert together.shape == (2, 24, 16)
    for i in range(2):
        own = module(detail[i : i + 1], semantic[i : i + 1], (4, 6))
        torch.testing.assert_close(together[i : i + 1], own, rtol=0, atol=1e-6)


def test_the_second_third_of_the_mixing_weights_acts_on_the_patches():
    """The order is attended patches, patches, upsampled states."""
    module = build()
    with torch.no_grad():
        module.mix.weight.zero_()
        module.mix.bias.zero_()
        module.mix.weight[:, 16:32] = torch.eye(16)
    detail = torch.randn(1, 4, 16)
    torch.testing.assert_close(module(detail, torch.randn(1, 1, 12), (2, 2)), detail)


def test_a_wrong_number_of_image_tokens_raises():
    with pytest.raises(ValueError, match=r"one image token per 2 x 2 patches .* 4 x 6, got 5"):
        build()(torch.randn(1, 24, 16), torch.randn(1, 5, 12), (4, 6))


def test_only_the_published_initialization_has_large_offsets():
    offsets = [
        build(init=init).upsample.offset.weight.detach().std() for init in ("default", "xavier")
    ]
    assert float(offsets[0]) < 0.005 < float(offsets[1])
