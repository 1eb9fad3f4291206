"""Heat maps of object centres: the target and its loss (CornerNet, CenterNet)."""

from __future__ import annotations

import torch
from torch import Tensor

MIN_OVERLAP = 0.7


def gaussian_heatmap(
    boxes_cxcywh: Tensor, is_valid: Tensor, grid: tuple[int, int], *, keep_inside: bool
) -> Tensor:
    """Draw a Gaussian at the centre of each box, 1 at its peak; where they meet, the greatest.

    Args:
        boxes_cxcywh: (B, N, 4), normalised.
        is_valid: (B, N) bool, False for padding.
        grid: (h, w) of the heat map.
        keep_inside: Move a peak that rounding put just beyond the border to the last cell. The
            published model loses it, and trains on a sample without a centre.

    Returns:
        (B, h, w).
    """
    height, width = grid
    if boxes_cxcywh.shape[1] == 0:
        return boxes_cxcywh.new_zeros(len(boxes_cxcywh), height, width)
    cells = boxes_cxcywh * boxes_cxcywh.new_tensor([width, height, width, height])
    centre = cells[..., :2].round()
    if keep_inside:
        centre = torch.minimum(centre, centre.new_tensor([width - 1, height - 1]))
    radius = gaussian_radius(cells[..., 3], cells[..., 2]).clamp(min=0).trunc()
    columns = _bump(centre[..., 0], radius, width)  # (B, N, w)
    rows = _bump(centre[..., 1], radius, height)
    rows = rows * is_valid[..., None]
    return (rows[..., :, None] * columns[..., None, :]).amax(1)


def gaussian_radius(height: Tensor, width: Tensor) -> Tensor:
    """Return how far a box may be off and still overlap its target enough, any shape, in cells.

    In the form that CornerNet published and its descendants were trained with: roots of the three
    quadratic equations without the division by their first coefficient.
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
    """Return CenterNet's focal loss, a sum over the batch divided by its number of peaks.

    Cells near a peak count less, the less the nearer; in single precision whatever the input, since
    half precision rounds scores near 1 to 1.

    Args:
        scores: (B, h, w), probabilities.
        heatmap: (B, h, w), the target; exactly 1 at peaks.
    """
    scores, heatmap = scores.float().clamp(min=1e-12), heatmap.float()
    is_peak = heatmap == 1
    gain = (1 - scores) ** 2 * scores.log() * is_peak
    false_alarm = (1 - heatmap) ** 4 * scores**2 * (1 - scores + 1e-5).log() * ~is_peak
    return -(gain.sum() + false_alarm.sum()) / is_peak.sum().clamp(min=1)


def _bump(centre: Tensor, radius: Tensor, length: int) -> Tensor:
    """Return a one-dimensional Gaussian (..., length) that ends at `radius` from its centre."""
    distance = (torch.arange(length, device=centre.device) - centre[..., None]).abs()
    radius = radius[..., None]
    sigma = (2 * radius + 1) / 6
    return (-(distance**2) / (2 * sigma**2)).exp() * (distance <= radius)
