"""The focal loss as published code has it that takes probabilities for logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def probability_focal_loss(
    probabilities: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0
) -> Tensor:
    """Return the focal loss of each pixel as GSVA, PLVL and MLLMSeg compute it.

    The weight is that of a focal loss, but the cross-entropy reads the probability as a logit: a
    full miss costs 0.17 at most and a full false alarm 0.99. It serves to train as published;
    `torchvision.ops.sigmoid_focal_loss` of logits is the formula of the paper.

    Args:
        probabilities: Any shape, 0..1.
        targets: Likewise, 0 or 1.
        alpha: Weight of foreground pixels; background pixels have 1 - alpha.
        gamma: Exponent by which well-classified pixels count less.
    """
    entropy = F.binary_cross_entropy_with_logits(probabilities, targets, reduction="none")
    correct = probabilities * targets + (1 - probabilities) * (1 - targets)
    balance = alpha * targets + (1 - alpha) * (1 - targets)
    return balance * (1 - correct) ** gamma * entropy
