"""Head that predicts class and box of every query, with DETR's set loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import MLP, box_convert, generalized_box_iou_loss

from vgtoolbox.models.layers import inverse_sigmoid
from vgtoolbox.models.matchers import Matches
from vgtoolbox.registry import MODELS, TASK_UTILS
from vgtoolbox.structures import BatchTargets

TARGET, NO_OBJECT = 0, 1  # indices of the classes


@MODELS.register_module()
class QueryBoxHead(nn.Module):
    """Linear classifier and box MLP, shared by all decoder layers.

    Args:
        channels: Channels C of the decoder's states.
        matcher: Config of the matcher.
        class_weight: Weight of the classification loss of the last layer.
        l1_weight: Weight of the L1 loss of the last layer.
        giou_weight: Weight of the GIoU loss of the last layer.
        aux_weights: Weights of the three losses for the layers before the last. The published
            weights were trained with 1, 1, 1. If `None`, the weights of the last layer.
        no_object_weight: Class weight of unmatched queries.
        loss_weight: Factor on all losses.
    """

    def __init__(
        self,
        *,
        channels: int = 256,
        matcher: Mapping[str, Any],
        class_weight: float = 1.0,
        l1_weight: float = 5.0,
        giou_weight: float = 2.0,
        aux_weights: tuple[float, float, float] | None = (1.0, 1.0, 1.0),
        no_object_weight: float = 0.1,
        loss_weight: float = 0.1,
    ) -> None:
        super().__init__()
        self.classifier = nn.Linear(channels, 2)
        self.box_mlp = MLP(channels, [channels, channels, 4], inplace=None)
        self.matcher = TASK_UTILS.build(matcher)
        self.weights = (class_weight, l1_weight, giou_weight)
        self.aux_weights = self.weights if aux_weights is None else tuple(aux_weights)
        self.no_object_weight = no_object_weight
        self.loss_weight = loss_weight
        self.init_weights()

    def init_weights(self) -> None:
        """Initialize the box MLP such that it predicts small boxes at the references."""
        last = self.box_mlp[-2]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        nn.init.constant_(last.bias[2:], -2.0)  # width and height sigmoid(-2) = 0.12

    def forward(self, states: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
        """Predict class and box.

        Args:
            states: States of the queries after each decoder layer, (layers, B, Q, C).
            references: Reference points (B, Q, 2), x and y, from which the center is predicted as a
                shift.

        Returns:
            Class logits (layers, B, Q, 2), class 0 = target, and normalized `cxcywh` boxes
            (layers, B, Q, 4).
        """
        # In half precision, the edges of a box would be rounded to about 1/256 of the image.
        shift = self.box_mlp(states).float()
        center = shift[..., :2] + inverse_sigmoid(references.float())
        return self.classifier(states), torch.cat([center, shift[..., 2:]], -1).sigmoid()

    def loss(
        self, class_logits: Tensor, boxes_cxcywh: Tensor, points: Tensor, targets: BatchTargets
    ) -> tuple[dict[str, Tensor], Matches]:
        """Match the queries of every layer with the targets and compute the losses.

        Args:
            class_logits: Class logits (layers, B, Q, 2).
            boxes_cxcywh: Normalized boxes (layers, B, Q, 4).
            points: Prior points (B, Q, 2), x and y in [0, 1].
            targets: Targets of the B samples.

        Returns:
            Weighted losses, with the prefix `d{i}.` for the layers before the last, and the matches
            of the last layer.
        """
        matches = self.matcher(class_logits, boxes_cxcywh, points, targets)
        num_targets = _mean_over_ranks(targets.is_valid.sum()).clamp(min=1)
        losses: dict[str, Tensor] = {}
        for layer, match in enumerate(matches):
            is_last = layer == len(matches) - 1
            terms = self._layer_loss(
                class_logits[layer], boxes_cxcywh[layer], match, targets, num_targets
            )
            weights = self.weights if is_last else self.aux_weights
            prefix = "" if is_last else f"d{layer}."
            for (name, term), weight in zip(terms.items(), weights, strict=True):
                losses[prefix + name] = self.loss_weight * weight * term
        return losses, matches[-1]

    def _layer_loss(
        self,
        class_logits: Tensor,
        boxes_cxcywh: Tensor,
        match: Matches,
        targets: BatchTargets,
        num_targets: Tensor,
    ) -> dict[str, Tensor]:
        """Return the unweighted losses of one layer.

        Args:
            class_logits: Class logits (B, Q, 2).
            boxes_cxcywh: Normalized boxes (B, Q, 4).
            match: Matches of the layer.
            targets: Targets of the B samples.
            num_targets: Mean number of targets per process, a scalar.
        """
        device = class_logits.device
        labels = torch.full(class_logits.shape[:2], NO_OBJECT, device=device)  # (B, Q)
        labels[match.batch, match.query] = TARGET
        class_weights = class_logits.new_tensor([1.0, self.no_object_weight])
        predicted = boxes_cxcywh[match.batch, match.query]  # (M, 4)
        expected = targets.boxes_cxcywh[match.batch, match.target].to(predicted.dtype)  # (M, 4)
        giou_loss = generalized_box_iou_loss(
            box_convert(predicted, "cxcywh", "xyxy"), box_convert(expected, "cxcywh", "xyxy")
        )
        return {
            "loss_class": F.cross_entropy(
                class_logits.flatten(0, 1), labels.flatten(), class_weights
            ),
            "loss_l1": (predicted - expected).abs().sum() / num_targets,
            "loss_giou": giou_loss.sum() / num_targets,
        }

    def predict(self, class_logits: Tensor, boxes_cxcywh: Tensor) -> tuple[Tensor, Tensor]:
        """Return the predictions of the last layer.

        Args:
            class_logits: Class logits (layers, B, Q, 2).
            boxes_cxcywh: Normalized boxes (layers, B, Q, 4).

        Returns:
            Scores (B, Q) and normalized `xyxy` boxes (B, Q, 4).
        """
        scores = class_logits[-1].softmax(2)[..., TARGET]
        return scores, box_convert(boxes_cxcywh[-1], "cxcywh", "xyxy")


def _mean_over_ranks(count: Tensor) -> Tensor:
    """Return the mean of a scalar over all processes."""
    count = count.float()
    if get_world_size() > 1:
        all_reduce(count, op="mean")
    return count
