import math

import pytest
import torch

from vgtoolbox.models.heads import ExistenceHead

LOGITS = torch.tensor([[2.0, 0.0], [-1.0, 3.0]])


def test_logits_are_the_mean_over_pixels():
    head, pixels = ExistenceHead(channels=8), torch.randn(3, 8, 4, 5)
    each = head.mlp(pixels.permute(0, 2, 3, 1))  # (B, h, w, 2)
    torch.testing.assert_close(head(pixels), each.mean((1, 2)))
    torch.testing.assert_close(head(pixels.flip(2, 3)), head(pixels))


def test_probability_with_either_activation():
    by_sigmoid = ExistenceHead(channels=8, activation="sigmoid").predict(LOGITS)
    assert by_sigmoid.tolist() == pytest.approx([1 / (1 + math.exp(-2)), 1 / (1 + math.e)])
    by_softmax = ExistenceHead(channels=8, activation="softmax").predict(LOGITS)
    assert by_softmax.tolist() == pytest.approx([1 / (1 + math.exp(-2)), 1 / (1 + math.exp(4))])


def test_loss_by_hand(make_targets):
    head = ExistenceHead(channels=8, class_weights=(0.9, 1.1), loss_weight=0.2)
    exists, empty = math.log(1 + math.exp(-2)), math.log(1 + math.exp(-4))
    loss = head.loss(LOGITS, make_targets((2, 0)))["loss_existence"]
    assert loss.item() == pytest.approx(0.2 * (0.9 * exists + 1.1 * empty) / 2.0, rel=1e-5)


def test_the_correct_class_has_the_smaller_loss(make_targets):
    head = ExistenceHead(channels=8)
    right = head.loss(LOGITS, make_targets((1, 0)))["loss_existence"]
    wrong = head.loss(LOGITS, make_targets((0, 1)))["loss_existence"]
    assert right < wrong


@pytest.mark.parametrize("counts", [(0, 0), (1, 3)])
def test_a_batch_of_one_class_has_a_finite_loss(make_targets, counts):
    logits = LOGITS.clone().requires_grad_()
    loss = ExistenceHead(channels=8).loss(logits, make_targets(counts))["loss_existence"]
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()


def test_an_unknown_activation_raises():
    with pytest.raises(ValueError, match="activation must be 'sigmoid' or 'softmax', got 'relu'"):
        ExistenceHead(channels=8, activation="relu")
