"""Head that predicts whether the expression names anything in the image."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import MLP

from vgtoolbox.registry import MODELS
from vgtoolbox.structures import BatchTargets
from vgtoolbox.utils.choices import check_choice

EXISTS = 0  # index of the class "a target exists"; class 1 is "no target"
Activation = Literal["sigmoid", "softmax"]


@MODELS.register_module()
class ExistenceHead(nn.Module):
    """Classify target and no target, by the mean of an MLP's logits over all pixels.

    Args:
        channels: Channels C of the pixel map.
        activation: Activation that turns logits into a probability. The logits are trained with
            softmax cross-entropy, but the published weights and thresholds require "sigmoid" of
            each logit separately.
        class_weights: Weights of the classes target and no target in the loss.
        loss_weight: Factor on the loss.

    Raises:
        ValueError: `activation` is not "sigmoid" or "softmax".
    """

    def __init__(
        self,
        *,
        channels: int = 256,
        activation: Activation = "sigmoid",
        class_weights: tuple[float, float] = (0.9, 1.1),
        loss_weight: float = 0.2,
    ) -> None:
        super().__init__()
        check_choice("activation", activation, get_args(Activation))
        self.mlp = MLP(channels, [channels, channels, 2], inplace=None)
        self.activation = activation
        self.class_weights = tuple(class_weights)
        self.loss_weight = loss_weight

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits (B, 2) of target and no target from pixels (B, C, h, w)."""
        return self.mlp(pixels.flatten(2).transpose(1, 2)).mean(1)

    def loss(self, logits: Tensor, targets: BatchTargets) -> dict[str, Tensor]:
        """Return the weighted loss of logits (B, 2), a scalar."""
        weights = logits.new_tensor(self.class_weights)
        loss = F.cross_entropy(logits, targets.no_target.long(), weights)
        return {"loss_existence": self.loss_weight * loss}

    def predict(self, logits: Tensor) -> Tensor:
        """Return the probability that a target exists, (B,), from logits (B, 2)."""
        if self.activation == "sigmoid":
            return logits[:, EXISTS].sigmoid()
        return logits.softmax(1)[:, EXISTS]
