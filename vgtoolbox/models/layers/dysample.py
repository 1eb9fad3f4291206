"""Upsampling with learned sampling points (DySample, Liu et al., ICCV 2023; the "lp" variant)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.registry import MODELS

_OFFSET_SCALE = 0.25  # input pixels per unit of offset: the paper's static scope factor


@MODELS.register_module()
class DySample(nn.Module):
    """Upsampling that samples the input at its own position plus a predicted offset.

    A 1 x 1 convolution predicts the offsets of all output pixels from their input pixel.

    Args:
        channels: Channels C, a multiple of `groups`.
        scale: Upsampling factor.
        groups: Number of channel groups; the channels of a group share their sampling points.
        init_std: Standard deviation of the convolution's initial weights.

    Raises:
        ValueError: `channels` is not a multiple of `groups`.
    """

    init_pos: Tensor

    def __init__(
        self, *, channels: int, scale: int = 2, groups: int = 4, init_std: float = 0.001
    ) -> None:
        super().__init__()
        if channels % groups:
            raise ValueError(f"channels must be a multiple of groups={groups}, got {channels}")
        self.scale = scale
        self.groups = groups
        self.offset = nn.Conv2d(channels, 2 * groups * scale**2, 1)
        nn.init.normal_(self.offset.weight, std=init_std)
        nn.init.zeros_(self.offset.bias)  # type: ignore[arg-type]
        self.register_buffer("init_pos", self._subpixel_centers())

    def forward(self, x: Tensor) -> Tensor:
        """Upsample x (B, C, h, w) to (B, C, scale * h, scale * w)."""
        batch, _, height, width = x.shape
        offset = self.offset(x) * _OFFSET_SCALE + self.init_pos
        offset = offset.view(batch, 2, -1, height, width)  # (B, xy, sub-pixels, h, w)
        columns = torch.arange(width, device=x.device, dtype=x.dtype) + 0.5
        rows = torch.arange(height, device=x.device, dtype=x.dtype) + 0.5
        centers = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))  # (xy, h, w)
        size = torch.tensor([width, height], device=x.device, dtype=x.dtype).view(1, 2, 1, 1, 1)
        points = 2 * (centers[:, None] + offset) / size - 1  # in -1..1, as `grid_sample` expects
        points = F.pixel_shuffle(points.flatten(1, 2), self.scale)  # (B, xy * groups, H, W)
        points = points.unflatten(1, (2, self.groups)).permute(0, 2, 3, 4, 1).flatten(0, 1)
        groups = x.unflatten(1, (self.groups, -1)).flatten(0, 1)  # (B * groups, C / groups, h, w)
        sampled = F.grid_sample(
            groups, points, mode="bilinear", padding_mode="border", align_corners=False
        )
        return sampled.unflatten(0, (batch, self.groups)).flatten(1, 2)

    def _subpixel_centers(self) -> Tensor:
        """Return the centers of the output pixels relative to the center of their input pixel.

        Returns:
            Offsets in input pixels, (1, xy * groups * scale^2, 1, 1).
        """
        steps = (torch.arange(self.scale) - (self.scale - 1) / 2) / self.scale
        rows, columns = torch.meshgrid(steps, steps, indexing="ij")
        return torch.stack(
            [columns.flatten().repeat(self.groups), rows.flatten().repeat(self.groups)]
        ).view(1, -1, 1, 1)
