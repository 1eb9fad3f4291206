import pytest
import torch
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from vgtoolbox.models.losses import TokenMaskLoss, double_sigmoid_focal_loss


def test_double_sigmoid_focal_loss_by_hand():
    """For p = 0.5 and target 1: weight 0.25 * 0.25, cross-entropy of the *logit* 0.5."""
    expected = 0.25 * 0.25 * F.softplus(torch.tensor(-0.5))
    found = double_sigmoid_focal_loss(torch.tensor([0.5]), torch.tensor([1.0]))
    torch.testing.assert_close(found[0], expected)


def test_largest_values_of_the_double_sigmoid_focal_loss():
    wrong = torch.tensor([0.0, 1.0])
    losses = double_sigmoid_focal_loss(wrong, 1 - wrong)
    assert losses.tolist() == pytest.approx([0.1733, 0.9850], abs=1e-3)
    assert float(double_sigmoid_focal_loss(wrong, wrong).sum()) == 0


def test_corrected_form_is_computed_at_the_size_of_each_target():
    logits = torch.randn(2, 4, 4)
    targets = [torch.rand(8, 8) > 0.5, torch.rand(6, 10) > 0.5]
    losses = TokenMaskLoss(focal_weight=3.0)(logits, targets)
    focal = dice = iou = 0.0
    for one, target in zip(logits, targets, strict=True):
        big = F.interpolate(one[None, None], target.shape, mode="bilinear")[0, 0]
        focal += sigmoid_focal_loss(big, target.float(), reduction="mean") / 2
        p = big.sigmoid()
        overlap = (p * target).sum()
        dice += (1 - (2 * overlap + 1) / (p.sum() + target.sum() + 1)) / 2
        iou += overlap / (p.sum() + target.sum() - overlap) / 2
    torch.testing.assert_close(losses["loss_focal"], 3 * focal)
    torch.testing.assert_close(losses["loss_dice"], dice)
    torch.testing.assert_close(losses["soft_iou"], iou)


def test_expressions_without_a_target_count_with_zero_loss():
    logits, targets = torch.randn(1, 4, 4), [torch.rand(4, 4) > 0.5]
    loss = TokenMaskLoss(form="published")
    one, half = loss(logits, targets), loss(logits, targets, num_no_target=1)
    for name in ("loss_focal", "loss_dice"):
        torch.testing.assert_close(half[name], one[name] / 2)
    torch.testing.assert_close(half["soft_iou"], one["soft_iou"] / 2 + 0.5)


def test_a_batch_without_masks_has_zero_loss():
    logits = torch.randn(0, 4, 4, requires_grad=True)
    losses = TokenMaskLoss()(logits, [], num_no_target=3)
    assert float(losses["loss_focal"] + losses["loss_dice"]) == 0
    assert float(losses["soft_iou"]) == 1


def test_loss_of_perfect_masks_is_zero():
    target = torch.rand(5, 5) > 0.5
    losses = TokenMaskLoss()((target.float() * 200 - 100)[None], [target])
    assert float(losses["loss_focal"]) == pytest.approx(0, abs=1e-6)
    assert float(losses["loss_dice"]) == pytest.approx(0, abs=1e-6)
    assert float(losses["soft_iou"]) == pytest.approx(1, abs=1e-6)


def test_an_unknown_form_raises():
    with pytest.raises(ValueError, match="form must be 'corrected' or 'published', got 'gsva'"):
        TokenMaskLoss(form="gsva")
