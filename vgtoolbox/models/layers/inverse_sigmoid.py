"""Logit function, guarded at 0 and 1."""

from torch import Tensor


def inverse_sigmoid(probability: Tensor, *, eps: float = 1e-3) -> Tensor:
    """Return the logits of probabilities, in the same shape.

    Args:
        probability: Tensor of any shape. Values outside [0, 1] are clamped.
        eps: Lower bound of numerator and denominator each, as in DETR's descendants: a probability
            of 1 gives log(1 / eps), not the exact logit of 1 - eps.
    """
    probability = probability.clamp(0.0, 1.0)
    return (probability.clamp(min=eps) / (1 - probability).clamp(min=eps)).log()
