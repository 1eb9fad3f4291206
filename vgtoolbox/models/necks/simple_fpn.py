"""Simple feature pyramid from a single map (ViTDet, Li et al., ECCV 2022, section 3)."""

from __future__ import annotations

from timm.layers import LayerNorm2d
from torch import Tensor, nn

from vgtoolbox.registry import MODELS


@MODELS.register_module()
class SimpleFPN(nn.Module):
    """Four levels at 4, 2, 1 and 1/2 times the resolution of one map, without a top-down path.

    Args:
        in_channels: Channels C of the map.
        out_channels: Channels C' of every level.
    """

    def __init__(self, *, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half, quarter = in_channels // 2, in_channels // 4
        self.scales = nn.ModuleList(
            [
                nn.Sequential(
                    nn.ConvTranspose2d(in_channels, half, 2, stride=2),
                    LayerNorm2d(half),
                    nn.GELU(),
                    nn.ConvTranspose2d(half, quarter, 2, stride=2),
                ),
                nn.ConvTranspose2d(in_channels, half, 2, stride=2),
                nn.Identity(),
                nn.MaxPool2d(2),
            ]
        )
        self.laterals = nn.ModuleList(
            _conv_norm(channels, out_channels, kernel_size=1)
            for channels in (quarter, half, in_channels, in_channels)
        )
        self.outputs = nn.ModuleList(
            _conv_norm(out_channels, out_channels, kernel_size=3) for _ in range(4)
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return four levels (B, C', h_i, w_i) of a map x (B, C, h, w), finest first."""
        return tuple(
            output(lateral(scale(x)))
            for scale, lateral, output in zip(self.scales, self.laterals, self.outputs, strict=True)
        )


def _conv_norm(in_channels: int, out_channels: int, *, kernel_size: int) -> nn.Sequential:
    """Return a convolution without bias that keeps the size, followed by a channel layer norm."""
    conv = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False)
    return nn.Sequential(conv, LayerNorm2d(out_channels))
