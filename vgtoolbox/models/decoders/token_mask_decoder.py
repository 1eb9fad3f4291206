"""A light decoder: one text token and a fused map to one mask (MLLMSeg, section 3)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.models.layers.initialization import init_matrices
from vgtoolbox.models.layers.split_decoder_layer import SplitDecoderLayer
from vgtoolbox.registry import MODELS


@MODELS.register_module()
class TokenMaskDecoder(nn.Module):
    """A map attends to one token, and each of its cells is unfolded into a square of pixels.

    The half that does not read the token, `prepare`, is done once an image.

    Args:
        channels: C of the map.
        text_channels: H of the token.
        num_heads: Attention heads.
        ffn_channels: Width of the feed-forward network; None is C.
        cell_size: Pixels of the mask along a cell of the map.
        norm: "batch", as published, or "group", whose result does not depend on the batch.
        dropout: In training.
        init: "default", or "xavier" as published.
        refine_init: "random", as published, or "identity", minus one. All the mask goes through
            this one filter; behind a random one masks stay empty for hundreds of steps.

    Raises:
        ValueError: A choice is none of those above.
    """

    def __init__(
        self,
        *,
        channels: int = 1024,
        text_channels: int,
        num_heads: int = 8,
        ffn_channels: int | None = None,
        cell_size: int = 14,
        norm: Literal["batch", "group"] = "batch",
        dropout: float = 0.1,
        init: str = "default",
        refine_init: Literal["random", "identity"] = "random",
    ) -> None:
        super().__init__()
        if norm not in ("batch", "group"):
            raise ValueError(f"norm must be 'batch' or 'group', got {norm!r}")
        if refine_init not in ("random", "identity"):
            raise ValueError(f"refine_init must be 'random' or 'identity', got {refine_init!r}")
        self.cell_size = cell_size
        self.text_proj = nn.Linear(text_channels, channels)
        self.attend = SplitDecoderLayer(
            channels=channels,
            num_heads=num_heads,
            ffn_channels=ffn_channels or channels,
            dropout=dropout,
        )
        planes = cell_size**2
        self.unfold = nn.Sequential(
            nn.Conv2d(channels, planes, 3, padding=1),
            nn.BatchNorm2d(planes) if norm == "batch" else nn.GroupNorm(1, planes),
            nn.ReLU(),
        )
        self.refine = nn.Conv2d(1, 1, 5, padding=2)
        init_matrices(self, init)
        if refine_init == "identity":
            nn.init.dirac_(self.refine.weight)
            # What comes in is at least 0: most of a mask is background.
            nn.init.constant_(self.refine.get_parameter("bias"), -1.0)

    def prepare(self, fused: Tensor) -> Tensor:
        """Return what of the fused map (I, h * w, C) all tokens of an image share; same shape."""
        return self.attend.self_attention(fused)

    def forward(self, prepared: Tensor, text: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return mask logits (N, h * cell_size, w * cell_size).

        Args:
            prepared: (N, h * w, C), of `prepare`, for each token that of its image.
            text: (N, H).
            grid: (h, w).
        """
        size = (grid[0] * self.cell_size, grid[1] * self.cell_size)
        if len(text) == 0:  # convolutions refuse an empty batch on some devices
            return (text.sum() + prepared.sum()) * 0.0 + prepared.new_zeros((0, *size))
        x = self.attend.cross_attention(prepared, self.text_proj(text)[:, None])
        x = self.unfold(x.transpose(1, 2).unflatten(2, grid))
        return self.refine(F.pixel_shuffle(x, self.cell_size))[:, 0]
