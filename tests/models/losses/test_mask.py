import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vgtoolbox.models.losses import MaskLoss, dice_loss
from vgtoolbox.registry import MODELS


@pytest.fixture
def masks():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(5, 6, 7, generator=generator)
    return logits, torch.rand(5, 6, 7, generator=generator) < 0.3


def test_dice_agrees_with_mmdet(mmdet, masks):
    logits, targets = masks
    oracle = MODELS.build({"type": "mmdet.DiceLoss", "naive_dice": True, "eps": 1.0})
    torch.testing.assert_close(dice_loss(logits, targets.float()).mean(), oracle(logits, targets))


def test_cross_entropy_agrees_with_mmdet(mmdet, masks):
    logits, targets = masks
    oracle = MODELS.build({"type": "mmdet.CrossEntropyLoss", "use_sigmoid": True})
    ours = MaskLoss(dice_weight=0.0)(logits, targets)
    torch.testing.assert_close(ours, oracle(logits.flatten(1), targets.flatten(1).float()))


def test_dice_by_hand():
    logits = torch.zeros(2, 2, 2)  # probability one half everywhere
    targets = torch.tensor([[[1.0, 1.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    # 1 - (2 * 1 + 1) / (2 + 2 + 1), and 1 - 1 / (2 + 0 + 1)
    assert dice_loss(logits, targets).tolist() == pytest.approx([2 / 5, 2 / 3])


def test_weighted_sum_by_hand():
    loss = MaskLoss(dice_weight=3.0, bce_weight=0.5)
    value = loss(torch.zeros(1, 2, 2), torch.ones(1, 2, 2, dtype=torch.bool))
    assert value.item() == pytest.approx(3 * (1 - 5 / 7) + 0.5 * math.log(2))


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 2**31))
def test_losses_stay_in_their_bounds(count, side, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 10 * torch.randn(count, side, side, generator=generator)
    targets = torch.rand(count, side, side, generator=generator) < 0.5
    dice = dice_loss(logits, targets.float())
    assert ((dice >= 0) & (dice < 1)).all()
    assert MaskLoss()(logits, targets) >= 0


def test_loss_of_perfect_masks_is_zero(masks):
    _, targets = masks
    assert MaskLoss()(torch.where(targets, 50.0, -50.0), targets).item() < 1e-5


def test_loss_of_no_masks_is_zero_and_keeps_the_graph():
    logits = torch.randn(3, 4, 4, requires_grad=True)
    loss = MaskLoss()(logits[:0], torch.zeros(0, 4, 4, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(3, 4, 4))


def test_large_logits_give_a_finite_loss():
    logits = torch.tensor([[[1e4, -1e4]]], requires_grad=True)
    loss = MaskLoss()(logits, torch.tensor([[[False, True]]]))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad.isfinite().all()
