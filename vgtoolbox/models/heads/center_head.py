"""Head that predicts one box from dense maps of center score, size and offset."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation, box_convert, generalized_box_iou_loss

from vgtoolbox.models.losses import gaussian_heatmap, heatmap_focal_loss
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import BatchTargets
from vgtoolbox.utils.choices import check_choice

SCORE_EPS = 1e-4
SupervisedCell = Literal["peak", "target"]


@dataclass(frozen=True)
class CenterMaps:
    """Output of a `CenterHead` for B maps of h x w cells.

    Attributes:
        score_map: Probability that the center of the target is in the cell, (B, 1, h, w).
        size_map: Width and height as fractions of the image, (B, 2, h, w).
        offset_map: Offset (x, y) of the center from the corner of the cell, in cells and unbounded,
            (B, 2, h, w).
        target_features: Features from which scores are predicted, (B, C / 2, h, w); a mask head can
            use them, too.
    """

    score_map: Tensor
    size_map: Tensor
    offset_map: Tensor
    target_features: Tensor


@MODELS.register_module()
class CenterHead(nn.Module):
    """Predict center scores from one half of the channels, box size and offset from the other half.

    The score of the best cell is the score of the box. If a sample has several targets, the heat
    map has a peak for each, and the predicted box is compared with the nearest target.

    Args:
        channels: Channels C of the map.
        center_weight: Weight of the heat map's focal loss.
        l1_weight: Weight of the L1 loss of the normalized corners.
        giou_weight: Weight of the GIoU loss.
        loss_weight: Factor on all losses.
        supervised_cell: Cell in which size and offset are trained: that with the highest score
            ("peak"), as published, or those of the targets ("target"), as in CenterNet.
        keep_center_inside: Whether to move a peak that rounding has put just outside the border to
            the last cell, see `gaussian_heatmap`.
        prior_score: Initial score of every cell. If `None`, about 0.5.

    Raises:
        ValueError: `supervised_cell` is not one of these.
    """

    def __init__(
        self,
        *,
        channels: int = 512,
        center_weight: float = 1.0,
        l1_weight: float = 1.0,
        giou_weight: float = 1.0,
        loss_weight: float = 0.1,
        supervised_cell: SupervisedCell = "peak",
        keep_center_inside: bool = False,
        prior_score: float | None = None,
    ) -> None:
        super().__init__()
        check_choice("supervised_cell", supervised_cell, get_args(SupervisedCell))
        half = channels // 2
        self.target_trunk = _conv_norm(half, half)
        self.box_trunk = _conv_norm(half, half)
        self.center, self.size, self.offset = (_branch(half, outputs) for outputs in (1, 2, 2))
        self.weights = {"center": center_weight, "l1": l1_weight, "giou": giou_weight}
        self.loss_weight = loss_weight
        self.supervised_cell = supervised_cell
        self.keep_center_inside = keep_center_inside
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
        if prior_score is not None:
            bias: Tensor = self.center[-1].bias  # type: ignore[assignment]
            nn.init.constant_(bias, math.log(prior_score / (1 - prior_score)))

    def forward(self, features: Tensor) -> CenterMaps:
        """Predict the maps from features (B, C, h, w)."""
        target, box = features.chunk(2, 1)  # (B, C / 2, h, w) each
        target, box = self.target_trunk(target), self.box_trunk(box)
        return CenterMaps(
            score_map=_probability(self.center(target)),
            size_map=_probability(self.size(box)),
            offset_map=self.offset(box).float(),
            target_features=target,
        )

    def predict(self, maps: CenterMaps) -> tuple[Tensor, Tensor]:
        """Return score (B, 1) and normalized `cxcywh` box (B, 1, 4) of the best cell."""
        scores, cells = maps.score_map.flatten(1).max(1, keepdim=True)
        return scores, boxes_at(maps, cells)

    def loss(self, maps: CenterMaps, targets: BatchTargets) -> dict[str, Tensor]:
        """Return the weighted losses of heat map and box, scalars.

        Args:
            maps: Output of `forward`.
            targets: Targets of the B samples.
        """
        grid = (maps.score_map.shape[2], maps.score_map.shape[3])
        heatmap = gaussian_heatmap(
            targets.boxes_cxcywh, targets.is_valid, grid, keep_inside=self.keep_center_inside
        )
        predicted, expected = self._pairs(maps, targets)
        count = max(len(predicted), 1)
        terms = {
            "center": heatmap_focal_loss(maps.score_map[:, 0], heatmap),
            "l1": (predicted - expected).abs().mean(1).sum() / count,
            "giou": generalized_box_iou_loss(predicted, expected).sum() / count,
        }
        return {
            f"loss_{name}": self.loss_weight * self.weights[name] * term
            for name, term in terms.items()
        }

    def _pairs(self, maps: CenterMaps, targets: BatchTargets) -> tuple[Tensor, Tensor]:
        """Return predicted boxes and their targets, normalized `xyxy` (M, 4) each."""
        expected = box_convert(targets.boxes_cxcywh, "cxcywh", "xyxy")  # (B, N, 4)
        if self.supervised_cell == "target":
            cells = center_cells(targets.boxes_cxcywh, maps.score_map)
            predicted = box_convert(boxes_at(maps, cells), "cxcywh", "xyxy")
            return predicted[targets.is_valid], expected[targets.is_valid]
        predicted = box_convert(self.predict(maps)[1], "cxcywh", "xyxy").expand_as(expected)
        distance = generalized_box_iou_loss(predicted, expected).detach()  # (B, N)
        distance = distance.masked_fill(~targets.is_valid, torch.inf)
        has_target = targets.is_valid.any(1)
        if not has_target.any():
            return predicted.flatten(0, 1)[:0], expected.flatten(0, 1)[:0]
        nearest = distance.argmin(1)
        batch = torch.arange(len(expected), device=expected.device)
        return predicted[batch, nearest][has_target], expected[batch, nearest][has_target]


def boxes_at(maps: CenterMaps, cells: Tensor) -> Tensor:
    """Return the boxes that the given cells predict.

    Args:
        maps: Maps of h x w cells.
        cells: Indices (B, K) of cells in the flattened grid.

    Returns:
        Normalized `cxcywh` boxes (B, K, 4).
    """
    height, width = maps.score_map.shape[-2:]
    index = cells[:, None].expand(-1, 2, -1)  # (B, 2, K)
    size, offset = (m.flatten(2).gather(2, index) for m in (maps.size_map, maps.offset_map))
    corner = torch.stack([cells % width, cells // width], 1)  # (B, 2, K), x before y
    extent = offset.new_tensor([[width], [height]])
    return torch.cat([(corner + offset) / extent, size], 1).transpose(1, 2)


def center_cells(boxes_cxcywh: Tensor, score_map: Tensor) -> Tensor:
    """Return the cells in which the heat map of boxes has its peaks.

    Args:
        boxes_cxcywh: Normalized boxes (B, N, 4).
        score_map: Map (B, 1, h, w), of which only the size is used.

    Returns:
        Indices (B, N) of cells in the flattened grid.
    """
    height, width = score_map.shape[-2:]
    column = (boxes_cxcywh[..., 0] * width).round().clamp(0, width - 1)
    row = (boxes_cxcywh[..., 1] * height).round().clamp(0, height - 1)
    return (row * width + column).long()


def _probability(logits: Tensor) -> Tensor:
    """Return probabilities of logits of any shape, in single precision, not too near to 0 or 1."""
    return logits.float().sigmoid().clamp(SCORE_EPS, 1 - SCORE_EPS)


def _conv_norm(in_channels: int, out_channels: int) -> Conv2dNormActivation:
    """Return a 3x3 convolution with batch norm and ReLU, from `in_channels` to `out_channels`."""
    return Conv2dNormActivation(in_channels, out_channels, 3, bias=True, inplace=None)


def _branch(channels: int, outputs: int) -> nn.Sequential:
    """Return the layers that predict `outputs` maps from features with `channels`."""
    half = channels // 2
    return nn.Sequential(_conv_norm(channels, half), nn.Conv2d(half, outputs, 1))
