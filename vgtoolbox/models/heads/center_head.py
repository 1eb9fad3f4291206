"""One box from a dense map: where its centre is, and its size and offset there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.ops import Conv2dNormActivation, box_convert, generalized_box_iou_loss

from vgtoolbox.models.losses import gaussian_heatmap, heatmap_focal_loss
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import BatchTargets

SCORE_EPS = 1e-4


@dataclass(frozen=True)
class CenterMaps:
    """What a `CenterHead` reads off B maps of h x w cells.

    Attributes:
        score_map: (B, 1, h, w), probability that the target's centre is in the cell.
        size_map: (B, 2, h, w), width and height as fractions of the image.
        offset_map: (B, 2, h, w), x and y of the centre from the cell's corner, in cells; unbounded.
        target_features: (B, C / 2, h, w), what scores are read off; a mask head may share them.
    """

    score_map: Tensor
    size_map: Tensor
    offset_map: Tensor
    target_features: Tensor


@MODELS.register_module()
class CenterHead(nn.Module):
    """Half of the channels tell where the target is, the other half how its box lies there.

    The score of the best cell is that of the box. With N targets a sample, the heat map has a peak
    for each, and the one box that is predicted is compared with the nearest.

    Args:
        channels: C of the map.
        center_weight: Weight of the heat map's focal loss.
        l1_weight: Weight of the L1 loss of the normalised corners.
        giou_weight: Weight of the GIoU loss.
        loss_weight: Factor on all of them.
        supervised_cell: Where size and offset are trained: in the cell of the highest score
            ("peak"), as published, or in the targets' own cells ("target"), as in CenterNet.
        keep_center_inside: See `gaussian_heatmap`.
        prior_score: Score of every cell before training; None leaves it at about a half.
    """

    def __init__(
        self,
        *,
        channels: int = 512,
        center_weight: float = 1.0,
        l1_weight: float = 1.0,
        giou_weight: float = 1.0,
        loss_weight: float = 0.1,
        supervised_cell: Literal["peak", "target"] = "peak",
        keep_center_inside: bool = False,
        prior_score: float | None = None,
    ) -> None:
        super().__init__()
        if supervised_cell not in ("peak", "target"):
            raise ValueError(f"supervised_cell must be 'peak' or 'target', got {supervised_cell!r}")
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
        """Read the maps off features (B, C, h, w)."""
        target, box = features.chunk(2, 1)
        target, box = self.target_trunk(target), self.box_trunk(box)
        return CenterMaps(
            score_map=_probability(self.center(target)),
            size_map=_probability(self.size(box)),
            offset_map=self.offset(box).float(),
            target_features=target,
        )

    def predict(self, maps: CenterMaps) -> tuple[Tensor, Tensor]:
        """Return the best cell's score (B, 1) and box `cxcywh` (B, 1, 4), normalised."""
        scores, cells = maps.score_map.flatten(1).max(1, keepdim=True)
        return scores, boxes_at(maps, cells)

    def loss(self, maps: CenterMaps, targets: BatchTargets) -> dict[str, Tensor]:
        """Compare the heat map and the box with the targets, as weighted losses."""
        grid = (maps.score_map.shape[2], maps.score_map.shape[3])
        heatmap = gaussian_heatmap(
            targets.boxes_cxcywh, targets.is_valid, grid, keep_inside=self.keep_center_inside
        )
        predicted, wanted = self._pairs(maps, targets)
        count = max(len(predicted), 1)
        terms = {
            "center": heatmap_focal_loss(maps.score_map[:, 0], heatmap),
            "l1": (predicted - wanted).abs().mean(1).sum() / count,
            "giou": generalized_box_iou_loss(predicted, wanted).sum() / count,
        }
        return {
            f"loss_{name}": self.loss_weight * self.weights[name] * term
            for name, term in terms.items()
        }

    def _pairs(self, maps: CenterMaps, targets: BatchTargets) -> tuple[Tensor, Tensor]:
        """Return predicted boxes and the targets that they are compared with, (M, 4) xyxy each."""
        wanted = box_convert(targets.boxes_cxcywh, "cxcywh", "xyxy")  # (B, N, 4)
        if self.supervised_cell == "target":
            cells = center_cells(targets.boxes_cxcywh, maps.score_map)
            predicted = box_convert(boxes_at(maps, cells), "cxcywh", "xyxy")
            return predicted[targets.is_valid], wanted[targets.is_valid]
        predicted = box_convert(self.predict(maps)[1], "cxcywh", "xyxy").expand_as(wanted)
        distance = generalized_box_iou_loss(predicted, wanted).detach()
        distance = distance.masked_fill(~targets.is_valid, torch.inf)
        has_target = targets.is_valid.any(1)
        if not has_target.any():
            return predicted.flatten(0, 1)[:0], wanted.flatten(0, 1)[:0]
        nearest = distance.argmin(1)
        batch = torch.arange(len(wanted), device=wanted.device)
        return predicted[batch, nearest][has_target], wanted[batch, nearest][has_target]


def boxes_at(maps: CenterMaps, cells: Tensor) -> Tensor:
    """Return the boxes `cxcywh` (B, K, 4), normalised, that cells (B, K) of the flat grid hold."""
    height, width = maps.score_map.shape[-2:]
    index = cells[:, None].expand(-1, 2, -1)
    size, offset = (m.flatten(2).gather(2, index) for m in (maps.size_map, maps.offset_map))
    corner = torch.stack([cells % width, cells // width], 1)  # x, y
    extent = offset.new_tensor([[width], [height]])
    return torch.cat([(corner + offset) / extent, size], 1).transpose(1, 2)


def center_cells(boxes_cxcywh: Tensor, score_map: Tensor) -> Tensor:
    """Return in which cells (B, N) of the flat grid the heat map of boxes (B, N, 4) has peaks."""
    height, width = score_map.shape[-2:]
    column = (boxes_cxcywh[..., 0] * width).round().clamp(0, width - 1)
    row = (boxes_cxcywh[..., 1] * height).round().clamp(0, height - 1)
    return (row * width + column).long()


def _probability(logits: Tensor) -> Tensor:
    """Return probabilities away from 0 and 1, in single precision."""
    return logits.float().sigmoid().clamp(SCORE_EPS, 1 - SCORE_EPS)


def _conv_norm(in_channels: int, out_channels: int) -> Conv2dNormActivation:
    return Conv2dNormActivation(in_channels, out_channels, 3, bias=True, inplace=None)


def _branch(channels: int, outputs: int) -> nn.Sequential:
    half = channels // 2
    return nn.Sequential(_conv_norm(channels, half), nn.Conv2d(half, outputs, 1))
