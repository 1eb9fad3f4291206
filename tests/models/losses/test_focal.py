import math

import pytest
import torch

from vgtoolbox.models.losses import FocalDiceLoss
from vgtoolbox.registry import MODELS


def _sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_corrected_form_by_hand():
    logits, targets = torch.tensor([[[2.0, -1.0]]]), torch.tensor([[[True, False]]])
    p, q = _sigmoid(2.0), _sigmoid(-1.0)
    expected = (-0.25 * (1 - p) ** 2 * math.log(p) - 0.75 * q**2 * math.log(1 - q)) / 2
    losses = FocalDiceLoss()(logits, targets)
    assert float(losses["loss_mask_focal"]) == pytest.approx(expected, rel=1e-5)
    assert float(losses["loss_mask_dice"]) == pytest.approx(1 - (2 * p + 1) / (p + q + 1 + 1))


def test_published_form_applies_the_sigmoid_twice():
    logits, targets = torch.tensor([[[2.0, -1.0]]]), torch.tensor([[[True, False]]])
    p, q = _sigmoid(2.0), _sigmoid(-1.0)
    expected = 0.25 * (1 - p) ** 2 * -math.log(_sigmoid(p)) / 2
    expected += 0.75 * q**2 * -math.log(1 - _sigmoid(q)) / 2
    losses = FocalDiceLoss(form="published")(logits, targets)
    assert float(losses["loss_mask_focal"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("form", ["published", "corrected"])
def test_loss_is_weighted_and_averaged_over_masks(form):
    torch.manual_seed(0)
    logits, targets = torch.randn(3, 4, 5), torch.rand(3, 4, 5) > 0.5
    loss = MODELS.build(
        {"type": "FocalDiceLoss", "form": form, "focal_weight": 2.0, "dice_weight": 3.0}
    )
    together, plain = loss(logits, targets), FocalDiceLoss(form=form)
    each = [plain(logits[i : i + 1], targets[i : i + 1]) for i in range(3)]
    for name, weight in (("loss_mask_focal", 2.0), ("loss_mask_dice", 3.0)):
        mean = weight * sum(float(losses[name]) for losses in each) / 3
        assert float(together[name]) == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("form", ["published", "corrected"])
def test_loss_of_no_masks_is_zero(form):
    logits = torch.zeros(0, 4, 4, requires_grad=True)
    losses = FocalDiceLoss(form=form)(logits, torch.zeros(0, 4, 4))
    assert all(loss.item() == 0 and loss.requires_grad for loss in losses.values())


def test_an_unknown_form_raises():
    with pytest.raises(ValueError, match="form must be 'corrected' or 'published', got 'double'"):
        FocalDiceLoss(form="double")
