"""Bipartite matching of queries to targets (DETR, section 3.1), with a prior-point cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torchvision.ops import box_convert, generalized_box_iou_loss

from vgtoolbox.registry import TASK_UTILS
from vgtoolbox.structures import BatchTargets


@dataclass(frozen=True)
class Matches:
    """M matched pairs of a batch, as index tensors of shape (M,).

    Attributes:
        batch: Index of the sample.
        query: Index of the query in its sample.
        target: Index of the target in its sample.
    """

    batch: Tensor
    query: Tensor
    target: Tensor


@TASK_UTILS.register_module()
class HungarianMatcher:
    """Give each target the query that costs least overall.

    The cost is a weighted sum of -p(target), L1 distance of `cxcywh`, -GIoU, and the L1 distance
    between the query's prior point and the target's centre (InstanceVG).

    Args:
        class_cost: Weight of the class probability.
        l1_cost: Weight of the box distance.
        giou_cost: Weight of the generalised IoU.
        point_cost: Weight of the prior point's distance.
    """

    def __init__(
        self,
        *,
        class_cost: float = 1.0,
        l1_cost: float = 5.0,
        giou_cost: float = 2.0,
        point_cost: float = 2.0,
    ) -> None:
        self.class_cost = class_cost
        self.l1_cost = l1_cost
        self.giou_cost = giou_cost
        self.point_cost = point_cost

    @torch.no_grad()
    def __call__(
        self, class_logits: Tensor, boxes_cxcywh: Tensor, points: Tensor, targets: BatchTargets
    ) -> list[Matches]:
        """Match the queries of every decoder layer.

        Args:
            class_logits: (layers, B, Q, 2), class 0 = target.
            boxes_cxcywh: (layers, B, Q, 4), normalised.
            points: (B, Q, 2), prior points, x and y in 0..1.
            targets: Of the B samples.

        Returns:
            The pairs of each layer.
        """
        cost = self.cost(class_logits, boxes_cxcywh, points, targets)
        counts: list[int] = targets.is_valid.sum(1).tolist()
        # One transfer for all layers and samples; the assignment itself runs on the CPU.
        return [_assign(layer, counts, points.device) for layer in cost.float().cpu().numpy()]

    def cost(
        self, class_logits: Tensor, boxes_cxcywh: Tensor, points: Tensor, targets: BatchTargets
    ) -> Tensor:
        """Return the cost of each query for each target, (layers, B, Q, N); arguments as above."""
        wanted = targets.boxes_cxcywh.to(boxes_cxcywh.dtype)  # (B, N, 4)
        probability = class_logits.softmax(3)[..., :1]  # (layers, B, Q, 1)
        distance = torch.cdist(boxes_cxcywh, wanted[None], p=1)
        pairs = torch.broadcast_tensors(
            box_convert(boxes_cxcywh, "cxcywh", "xyxy")[:, :, :, None],
            box_convert(wanted, "cxcywh", "xyxy")[None, :, None],
        )
        giou_loss = generalized_box_iou_loss(*pairs)  # (layers, B, Q, N)
        to_centre = torch.cdist(points, wanted[..., :2].contiguous(), p=1)  # (B, Q, N)
        return (
            self.l1_cost * distance
            - self.class_cost * probability
            + self.giou_cost * (giou_loss - 1)
            + self.point_cost * to_centre
        )


def _assign(cost: np.ndarray, counts: list[int], device: torch.device) -> Matches:
    """Solve the assignment of each sample of one layer; cost (B, Q, N), N padded to `counts`."""
    pairs = [
        (index, query, target)
        for index, (sample, count) in enumerate(zip(cost, counts, strict=True))
        for query, target in zip(*linear_sum_assignment(sample[:, :count]), strict=True)
    ]
    index = torch.tensor(pairs, dtype=torch.long).reshape(-1, 3).to(device)
    return Matches(batch=index[:, 0], query=index[:, 1], target=index[:, 2])
