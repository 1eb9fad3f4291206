import torch
from torch import nn

from vgtoolbox.models.layers import Multiway


def test_each_modality_goes_through_weights_of_its_own():
    layer = Multiway(lambda: nn.Linear(3, 2))
    vision, text = torch.randn(2, 5, 3), torch.randn(2, 4, 3)
    out_vision, out_text = layer(vision, text)
    assert torch.equal(out_vision, layer.vision(vision))
    assert torch.equal(out_text, layer.text(text))
    assert not torch.equal(layer.vision.weight, layer.text.weight)


def test_loss_on_one_modality_leaves_the_other_alone():
    layer = Multiway(lambda: nn.Linear(3, 2))
    vision, _ = layer(torch.randn(1, 5, 3), torch.randn(1, 4, 3))
    vision.sum().backward()
    assert layer.vision.weight.grad is not None
    assert layer.text.weight.grad is None
