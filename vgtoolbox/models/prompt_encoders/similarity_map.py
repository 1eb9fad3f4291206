"""Maps of the similarity between target tokens and the image tokens of a language model."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def rounded_size(size: tuple[int, int], long_side: int) -> tuple[int, int]:
    """Return the height and width of an image (H, W) resized to a long side, both rounded."""
    scale = long_side / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def min_max(values: Tensor, *, eps: float = 0.0) -> Tensor:
    """Scale each row of (N, K) to [0, 1]; rows of equal values become 0.

    Args:
        values: Values (N, K).
        eps: Number added to the range of each row.
    """
    low = values.amin(1, keepdim=True)
    extent = values.amax(1, keepdim=True) - low + eps
    # A constant row has no range: 0 / 0 is undefined, and so is its gradient.
    return (values - low) / extent.masked_fill(extent == 0, 1.0)


def similarity_in_image(
    similarity: Tensor, grid: tuple[int, int], size: tuple[int, int], patch_size: int
) -> Tensor:
    """Resample the similarity of patches of a padded image to the image (UGround, section 3.3).

    Args:
        similarity: Values (N, h * w) of patches of a square image that is padded at the bottom and
            right.
        grid: Number of patches (h, w).
        size: Height and width (H, W) of the original image.
        patch_size: Side of a patch in pixels.

    Returns:
        Maps (N, H, W).
    """
    frame = (grid[0] * patch_size, grid[1] * patch_size)
    maps = similarity.unflatten(1, grid)[:, None].float()
    maps = F.interpolate(maps, frame, mode="bilinear", align_corners=False)
    height, width = rounded_size(size, max(frame))
    maps = maps[:, :, :height, :width]
    return F.interpolate(maps, size, mode="bilinear", align_corners=False)[:, 0]


def mask_prompts(maps: Tensor, mask_size: int) -> Tensor:
    """Resize maps to prompts of SAM, padded at the bottom and right.

    Args:
        maps: Maps (N, H, W) in the original image.
        mask_size: Side of a mask prompt.

    Returns:
        Mask prompts (N, 1, `mask_size`, `mask_size`).
    """
    height, width = rounded_size((maps.shape[1], maps.shape[2]), mask_size)
    resized = F.interpolate(
        maps[:, None], (height, width), mode="bilinear", align_corners=False, antialias=True
    )
    return F.pad(resized, (0, mask_size - width, 0, mask_size - height))


def similarity_points(
    maps: Tensor, num_points: int, *, positive_thr: float, negative_thr: float
) -> tuple[Tensor, Tensor]:
    """Select points on similarity maps, which depend on the maps differentiably (READ, section 3).

    Points are cells of high similarity from the highest, then those of low similarity from the
    lowest, then the others row by row. The coordinates of a cell are replaced by an expectation
    over the map, weighted by similarity and closeness to the cell.

    Args:
        maps: Maps (N, h, w) in [0, 1].
        num_points: Maximum number of points; a map has one point per cell at most.
        positive_thr: Minimum similarity of a foreground point.
        negative_thr: Maximum similarity of a background point.

    Returns:
        Points (N, P, 2), xy in cells, and labels (N, P): 1 for foreground, 0 for background, -1 for
        the others.
    """
    height, width = maps.shape[1:]
    flat = maps.flatten(1)  # (N, h * w)
    labels = torch.full_like(flat, -1.0)
    labels[flat <= negative_thr] = 0.0
    labels[flat >= positive_thr] = 1.0
    cells = torch.arange(flat.shape[1], device=flat.device)
    # Cells are sorted by their kind, then within it.
    within = torch.where(labels == 1, 1 - flat.double(), flat.double())
    within = torch.where(labels == -1, cells / len(cells), within)
    kind = torch.where(labels == 1, 0.0, torch.where(labels == 0, 2.0, 4.0))
    chosen = (kind + within.detach()).argsort(dim=1, stable=True)[:, :num_points]  # (N, P)
    labels = labels.gather(1, chosen)
    rows, columns = cells // width, cells % width
    x = (columns[chosen] + 0.5).clamp(max=width - 1)
    y = (rows[chosen] + 0.5).clamp(max=height - 1)
    distance = (x[..., None] - columns) ** 2 + (y[..., None] - rows) ** 2  # (N, P, h * w)
    weights = torch.exp(-distance) * flat.softmax(1)[:, None]
    weights = weights / (weights.sum(2, keepdim=True) + 1e-8)
    points = torch.stack([(weights * columns).sum(2), (weights * rows).sum(2)], dim=2)
    return points, labels
