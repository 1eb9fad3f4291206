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
    """Index tensors (M,) of the M matched pairs of a batch.

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
    """Assign a query to each target such that the total cost is minimal.

    The cost is a weighted sum of -p(target), L1 distance of `cxcywh`, -GIoU, and the L1 distance
    between the query's prior point and the center of the target (InstanceVG).

    Args:
        class_cost: Weight of the class probability.
        l1_cost: Weight of the L1 distance of the boxes.
        giou_cost: Weight of the generalized IoU.
        point_cost: Weight of the distance of the prior point.
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
            class_logits: Class logits (layers, B, Q, 2), class 0 = target.
            boxes_cxcywh: Predicted boxes (layers, B, Q, 4), normalized.
            points: Prior points (B, Q, 2), x and y in [0, 1].
            targets: Targets of the B samples, at most N each.

        Returns:
            Matched pairs of each layer.
        """
        cost = self.cost(class_logits, boxes_cxcywh, points, targets)
        counts: list[int] = targets.is_valid.sum(1).tolist()
        # One transfer for all layers and samples; the assignment itself runs on the CPU.
        return [_assign(layer, counts, points.device) for layer in cost.float().cpu().numpy()]

    def cost(
        self, class_logits: Tensor, boxes_cxcywh: Tensor, points: Tensor, targets: BatchTargets
    ) -> Tensor:
        """Return the cost of each query for each target; arguments as in `__call__`.

        Returns:
            Costs (layers, B, Q, N); those of padded targets are meaningless.
        """
        target_boxes = targets.boxes_cxcywh.to(boxes_cxcywh.dtype)  # (B, N, 4)
        probability = class_logits.softmax(3)[..., :1]  # (layers, B, Q, 1)
        box_distance = torch.cdist(boxes_cxcywh, target_boxes[None], p=1)  # (layers, B, Q, N)
        pairs = torch.broadcast_tensors(
            box_convert(boxes_cxcywh, "cxcywh", "xyxy")[:, :, :, None],
            box_convert(target_boxes, "cxcywh", "xyxy")[None, :, None],
        )
        giou_loss = generalized_box_iou_loss(*pairs)  # (layers, B, Q, N)
        centers = target_boxes[..., :2].contiguous()  # (B, N, 2)
        point_distance = torch.cdist(points, centers, p=1)  # (B, Q, N)
        return (
            self.l1_cost * box_distance
            - self.class_cost * probability
            + self.giou_cost * (giou_loss - 1)
            + self.point_cost * point_distance
        )


def _assign(cost: np.ndarray, counts: list[int], device: torch.device) -> Matches:
    """Solve the assignment of each sample of one layer.

    Args:
        cost: Costs (B, Q, N).
        counts: Number of targets of each sample; the rest of N is padding.
        device: Device of the result.
    """
    pairs = [
        (index, query, target)
        for index, (sample, count) in enumerate(zip(cost, counts, strict=True))
        for query, target in zip(*linear_sum_assignment(sample[:, :count]), strict=True)
    ]
    index = torch.tensor(pairs, dtype=torch.long).reshape(-1, 3).to(device)
    return Matches(batch=index[:, 0], query=index[:, 1], target=index[:, 2])
