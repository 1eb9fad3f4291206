"""Light decoder of one mask per text token from a fused feature map (MLLMSeg, section 3)."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.models.layers.initialization import MatrixInit, init_matrices
from vgtoolbox.models.layers.split_decoder_layer import SplitDecoderLayer
from vgtoolbox.registry import MODELS
from vgtoolbox.utils.choices import check_choice

Norm = Literal["batch", "group"]
RefineInit = Literal["random", "identity"]


@MODELS.register_module()
class TokenMaskDecoder(nn.Module):
    """Let a map attend to one token and unfold each of its cells into a square of mask pixels.

    The half that does not read the token, `prepare`, is computed once per image.

    Args:
        channels: Channels C of the map.
        text_channels: Channels H of the token.
        num_heads: Number of attention heads.
        ffn_channels: Hidden channels of the feed-forward network. If `None`, C.
        cell_size: Side in mask pixels of a cell of the map.
        norm: Normalization of the unfolded cells: "batch", as published, or "group", whose result
            does not depend on the batch.
        dropout: Dropout rate of the attention layer.
        init: Initialization, "default" or "xavier", as published; see `init_matrices`.
        refine_init: Initialization of the last convolution: "random", as published, or "identity"
            with a bias of -1. The whole mask passes through this single filter; with a random one
            masks stay empty for hundreds of steps.

    Raises:
        ValueError: `norm`, `init` or `refine_init` is not one of these.
    """

    def __init__(
        self,
        *,
        channels: int = 1024,
        text_channels: int,
        num_heads: int = 8,
        ffn_channels: int | None = None,
        cell_size: int = 14,
        norm: Norm = "batch",
        dropout: float = 0.1,
        init: MatrixInit = "default",
        refine_init: RefineInit = "random",
    ) -> None:
        super().__init__()
        check_choice("norm", norm, get_args(Norm))
        check_choice("refine_init", refine_init, get_args(RefineInit))
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
            # The input is at least 0 after the ReLU, but most pixels of a mask are background.
            nn.init.constant_(self.refine.get_parameter("bias"), -1.0)

    def prepare(self, fused: Tensor) -> Tensor:
        """Compute the part that all tokens of an image share.

        Args:
            fused: Fused maps of I images, (I, h * w, C).

        Returns:
            Maps (I, h * w, C) for `forward`.
        """
        return self.attend.self_attention(fused)

    def forward(self, prepared: Tensor, text: Tensor, grid: tuple[int, int]) -> Tensor:
        """Return mask logits of N tokens, (N, h * cell_size, w * cell_size).

        Args:
            prepared: Output of `prepare` for the image of each token, (N, h * w, C).
            text: Text tokens (N, H).
            grid: Height and width (h, w) of the map.
        """
        size = (grid[0] * self.cell_size, grid[1] * self.cell_size)
        if len(text) == 0:  # some devices do not support convolutions of an empty batch
            # The sums keep the inputs in the graph, so that their gradients are 0 rather than None.
            return (text.sum() + prepared.sum()) * 0.0 + prepared.new_zeros((0, *size))
        x = self.attend.cross_attention(prepared, self.text_proj(text)[:, None])  # (N, h * w, C)
        x = self.unfold(x.transpose(1, 2).unflatten(2, grid))  # (N, cell_size^2, h, w)
        return self.refine(F.pixel_shuffle(x, self.cell_size))[:, 0]
