"""The logit function, guarded at 0 and 1."""

from torch import Tensor


def inverse_sigmoid(probability: Tensor, *, eps: float = 1e-3) -> Tensor:
    """Return the logit of `probability`, any shape.

    Values outside 0..1 count as 0 or 1; numerator and denominator are kept above `eps` each, as
    DETR's descendants do (so 1 gives log(1 / eps), not the exact logit of 1 - eps).
    """
    probability = probability.clamp(0.0, 1.0)
    return (probability.clamp(min=eps) / (1 - probability).clamp(min=eps)).log()
