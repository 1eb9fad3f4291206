"""Focal loss that treats probabilities as logits, reproducing published code."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def double_sigmoid_focal_loss(
    probabilities: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """Return the focal loss of each pixel as the code of GSVA, PLVL and MLLMSeg computes it.

    The weight is that of a focal loss, but the cross-entropy applies a second sigmoid to the
    probability: a complete miss costs at most 0.17, a complete false alarm 0.99. Use it to train as
    published; the formula of the paper is `torchvision.ops.sigmoid_focal_loss` of logits.

    Args:
        probabilities: Probabilities in [0, 1], any shape.
        targets: Targets of the same shape, 0 or 1.
        alpha: Weight of foreground pixels; background pixels have 1 - alpha.
        gamma: Exponent that reduces the weight of well-classified pixels.

    Returns:
        Losses of the same shape.
    """
    entropy = F.binary_cross_entropy_with_logits(probabilities, targets, reduction="none")
    correct = probabilities * targets + (1 - probabilities) * (1 - targets)
    balance = alpha * targets + (1 - alpha) * (1 - targets)
    return balance * (1 - correct) ** gamma * entropy
