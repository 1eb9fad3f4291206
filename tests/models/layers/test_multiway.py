import torch
from torch import nn

from vgtoolbox.models.layers import Multiway


def test_each_modality_has_its_own_weights():
    layer = Multiway(lambda: nn.Linear(3, 2))
    vision, text = torch.randn(2, 5, 3), torch.randn(2, 4, 3)
    out_vision, out_text = layer(vision, text)
    assert torch.equal(out_vision, layer.vision(vision))
    assert torch.equal(out_text, layer.text(text))
    assert not torch.equal(layer.vision.weight, layer.text.weight)


def test_a_loss_on_one_modality_does_not_train_the_other():
    layer = Multiway(lambda: nn.Linear(3, 2))
    vision, _ = layer(torch.randn(1, 5, 3), torch.randn(1, 4, 3))
    vision.sum().backward()
    assert layer.vision.weight.grad is not None
    assert layer.text.weight.grad is None
