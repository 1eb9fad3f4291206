import math

import pytest
import torch

from vgtoolbox.models.losses import AttentionLoss, MaskLoss

GRID, SIZE = (2, 2), 4


def _target(*boxes):
    target = torch.zeros(len(boxes), SIZE, SIZE, dtype=torch.bool)
    for mask, box in zip(target, boxes, strict=True):
        if box is not None:
            mask[box[1] : box[3], box[0] : box[2]] = True
    return target


def _loss(attention, is_valid, target, **options):
    pooled = attention.masked_fill(~is_valid[..., None, None], 0.0).amax(1)
    return AttentionLoss(**options)(attention, pooled, is_valid, target)["loss_attention"]


@pytest.fixture
def attention():
    """Return attention of 2 samples and 2 queries: one to the top left, the others uniform."""
    attention = torch.full((2, 2, *GRID), 0.25)
    attention[0, 0] = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    return attention


def test_mass_is_the_negative_log_of_the_attention_inside_the_target(attention):
    valid = torch.ones(2, 2, dtype=torch.bool)
    target = _target((0, 0, 2, 2), (0, 0, 4, 2))  # the top left cell; the upper half
    expected = -(math.log(1.0) + math.log(0.25) + 2 * math.log(0.5)) / 4
    loss = _loss(attention, valid, target, form="mass", loss_weight=2.0)
    assert loss.item() == pytest.approx(2 * expected)


def test_mass_counts_every_cell_that_a_target_touches(attention):
    valid = torch.tensor([[False, True], [False, False]])
    assert _loss(
        attention, valid, _target((1, 1, 3, 3), None), form="mass"
    ).item() == pytest.approx(0.0, abs=1e-6)


def test_mass_ignores_invalid_queries_and_samples_without_target(attention):
    valid = torch.tensor([[True, False], [True, True]])
    loss = _loss(attention, valid, _target((0, 0, 2, 2), None), form="mass", loss_weight=1.0)
    assert loss.item() == pytest.approx(0.0, abs=1e-6)


def test_logits_form_is_the_mask_loss_of_the_pooled_attention(attention):
    valid = torch.ones(2, 2, dtype=torch.bool)
    small = torch.tensor([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]])
    pooled = torch.tensor([[[1.0, 0.25], [0.25, 0.25]], [[0.25, 0.25], [0.25, 0.25]]])
    loss = _loss(attention, valid, _target((0, 0, 2, 2), None), form="logits", loss_weight=0.1)
    torch.testing.assert_close(loss, 0.1 * MaskLoss()(pooled, small))


@pytest.mark.parametrize("form", ["logits", "mass"])
def test_a_batch_without_targets_has_a_finite_loss_and_gradient(attention, form):
    attention.requires_grad_()
    valid = torch.ones(2, 2, dtype=torch.bool)
    loss = _loss(attention, valid, _target(None, None), form=form)
    loss.backward()
    assert loss.isfinite()
    assert attention.grad.isfinite().all()
    if form == "mass":
        assert loss.item() == 0


def test_attention_that_misses_its_target_has_a_finite_loss(attention):
    valid = torch.tensor([[True, False], [False, False]])
    loss = _loss(attention, valid, _target((2, 2, 4, 4), None), form="mass", loss_weight=1.0)
    assert loss.item() == pytest.approx(-math.log(1e-6), rel=1e-5)


def test_an_unknown_form_raises():
    with pytest.raises(ValueError, match="form must be 'logits' or 'mass', got 'kl'"):
        AttentionLoss(form="kl")
