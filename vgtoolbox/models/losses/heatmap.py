"""Heat maps of object centers: targets and focal loss (CornerNet, CenterNet)."""

from __future__ import annotations

import torch
from torch import Tensor

MIN_OVERLAP = 0.7  # IoU that a box moved by the radius must keep, as in CenterNet


def gaussian_heatmap(
    boxes_cxcywh: Tensor, is_valid: Tensor, grid: tuple[int, int], *, keep_inside: bool
) -> Tensor:
    """Draw a Gaussian with peak 1 at the center of each box; overlaps take the maximum.

    Args:
        boxes_cxcywh: Boxes (B, N, 4), normalized.
        is_valid: Whether a box is valid rather than padding, (B, N) bool.
        grid: Height and width (h, w) of the heat map.
        keep_inside: Whether to move a peak that rounding has put just outside the border to the
            last cell. The published model (False) loses it and trains on a sample without a center.

    Returns:
        Heat maps (B, h, w).
    """
    height, width = grid
    if boxes_cxcywh.shape[1] == 0:
        return boxes_cxcywh.new_zeros(len(boxes_cxcywh), height, width)
    cells = boxes_cxcywh * boxes_cxcywh.new_tensor([width, height, width, height])
    center = cells[..., :2].round()  # (B, N, 2)
    if keep_inside:
        center = torch.minimum(center, center.new_tensor([width - 1, height - 1]))
    radius = gaussian_radius(cells[..., 3], cells[..., 2]).clamp(min=0).trunc()  # (B, N)
    columns = _gaussian_1d(center[..., 0], radius, width)  # (B, N, w)
    rows = _gaussian_1d(center[..., 1], radius, height)  # (B, N, h)
    rows = rows * is_valid[..., None]
    # A 2-D Gaussian is the product of two 1-D ones.
    return (rows[..., :, None] * columns[..., None, :]).amax(1)


def gaussian_radius(height: Tensor, width: Tensor) -> Tensor:
    """Return the distance by which a box may be off and still overlap its target by `MIN_OVERLAP`.

    This is the formula that CornerNet published and its descendants were trained with: it omits the
    division of the roots of the three quadratic equations by their first coefficient.

    Args:
        height: Heights of boxes, any shape, in cells.
        width: Widths of boxes, the same shape.

    Returns:
        Radii of the same shape, in cells.
    """
    area, perimeter = height * width, height + width
    equations = (
        (1.0, perimeter, area * (1 - MIN_OVERLAP) / (1 + MIN_OVERLAP)),
        (4.0, 2 * perimeter, area * (1 - MIN_OVERLAP)),
        (4 * MIN_OVERLAP, -2 * MIN_OVERLAP * perimeter, area * (MIN_OVERLAP - 1)),
    )
    roots = [(b + (b**2 - 4 * a * c).clamp(min=0).sqrt()) / 2 for a, b, c in equations]
    return torch.stack(roots).amin(0)


def heatmap_focal_loss(scores: Tensor, heatmap: Tensor) -> Tensor:
    """Return CenterNet's focal loss, a scalar: the sum over the batch divided by its peak count.

    The closer a cell is to a peak, the less it counts. The loss is computed in single precision for
    every input dtype, since half precision rounds scores near 1 to 1.

    Args:
        scores: Predicted probabilities (B, h, w).
        heatmap: Target (B, h, w); exactly 1 at peaks.
    """
    scores, heatmap = scores.float().clamp(min=1e-12), heatmap.float()
    is_peak = heatmap == 1
    positive = (1 - scores) ** 2 * scores.log() * is_peak
    # 1e-5 keeps the logarithm finite at a score of 1.
    negative = (1 - heatmap) ** 4 * scores**2 * (1 - scores + 1e-5).log() * ~is_peak
    return -(positive.sum() + negative.sum()) / is_peak.sum().clamp(min=1)


def _gaussian_1d(center: Tensor, radius: Tensor, length: int) -> Tensor:
    """Return a one-dimensional Gaussian that is 0 beyond `radius` from its center.

    Args:
        center: Positions of the peaks, (...), in cells.
        radius: Radii (...), in cells; the standard deviation is (2 * radius + 1) / 6.
        length: Number of cells.

    Returns:
        Values (..., length).
    """
    distance = (torch.arange(length, device=center.device) - center[..., None]).abs()
    radius = radius[..., None]
    sigma = (2 * radius + 1) / 6
    return (-(distance**2) / (2 * sigma**2)).exp() * (distance <= radius)
