"""Whether the expression names anything in the image."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import MLP

from vgtoolbox.registry import MODELS
from vgtoolbox.structures import BatchTargets

EXISTS = 0


@MODELS.register_module()
class ExistenceHead(nn.Module):
    """Two logits, "exists" and "names nothing": the mean of a network applied to every pixel.

    Args:
        channels: C of the pixel map.
        activation: How a probability is read off the logits. They are trained by softmax
            cross-entropy; published weights and thresholds depend on "sigmoid", each logit on its
            own.
        class_weights: Of the two classes in the loss.
        loss_weight: Factor on the loss.
    """

    def __init__(
        self,
        *,
        channels: int = 256,
        activation: Literal["sigmoid", "softmax"] = "sigmoid",
        class_weights: tuple[float, float] = (0.9, 1.1),
        loss_weight: float = 0.2,
    ) -> None:
        super().__init__()
        if activation not in ("sigmoid", "softmax"):
            raise ValueError(f"activation must be 'sigmoid' or 'softmax', got {activation!r}")
        self.mlp = MLP(channels, [channels, channels, 2], inplace=None)
        self.activation = activation
        self.class_weights = tuple(class_weights)
        self.loss_weight = loss_weight

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits (B, 2) from pixels (B, C, h, w)."""
        return self.mlp(pixels.flatten(2).transpose(1, 2)).mean(1)

    def loss(self, logits: Tensor, targets: BatchTargets) -> dict[str, Tensor]:
        """Compare logits (B, 2) with whether each sample has a target."""
        weights = logits.new_tensor(self.class_weights)
        loss = F.cross_entropy(logits, targets.no_target.long(), weights)
        return {"loss_existence": self.loss_weight * loss}

    def predict(self, logits: Tensor) -> Tensor:
        """Return the probability that a target exists, (B,), from logits (B, 2)."""
        if self.activation == "sigmoid":
            return logits[:, EXISTS].sigmoid()
        return logits.softmax(1)[:, EXISTS]
