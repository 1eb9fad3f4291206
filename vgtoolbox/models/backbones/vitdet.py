"""ViTDet's plain vision transformer (Li et al., ECCV 2022), which may read an expression inside.

Most blocks attend within windows, a few over the whole grid; positions are relative in both. At
some blocks a `TextInjector` lets the patches attend to words, as PLVL does in the global ones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from timm.layers import DropPath, Mlp
from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.models.layers import (
    DecomposedRelativePosition,
    join_windows,
    split_windows,
)
from vgtoolbox.models.layers.initialization import init_cosine_patches, init_sine_positions
from vgtoolbox.registry import MODELS

NORM_EPS = 1e-6


@MODELS.register_module()
class ViTDet(nn.Module):
    """Patches through windowed and global blocks to one map; no norm at the end, no pyramid.

    Args:
        embed_dim: C.
        depth: Number of blocks.
        num_heads: Attention heads.
        patch_size: Side of a patch.
        window_size: Side of a window, in patches.
        global_blocks: Which blocks attend over the whole grid.
        position_side: Side of the grid that the table of absolute positions is for (that of the
            pretraining); other grids read it resampled.
        relative_side: Likewise, of the global blocks' tables of relative positions.
        drop_path_rate: Stochastic depth of the last block; grows linearly from 0.
        text_blocks: Which blocks read the expression; none leaves the backbone without language.
        text_injector: Config of the module by which they do; its `embed_dim` is C.
        init_std: Of the weights of linear layers and of absolute positions.
        sine_position_scale: As `BEiT3`'s, for a model without pretraining.
        cosine_patch_scale: Likewise.
    """

    def __init__(
        self,
        *,
        embed_dim: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        patch_size: int = 16,
        window_size: int = 14,
        global_blocks: Collection[int] = (2, 5, 8, 11),
        position_side: int = 14,
        relative_side: int = 64,
        drop_path_rate: float = 0.1,
        text_blocks: Collection[int] = (),
        text_injector: Mapping[str, Any] | None = None,
        init_std: float = 0.02,
        sine_position_scale: float | None = None,
        cosine_patch_scale: float | None = None,
    ) -> None:
        super().__init__()
        _check_blocks("global_blocks", global_blocks, depth)
        _check_blocks("text_blocks", text_blocks, depth)
        self.embed_dim = embed_dim
        self.patch_size = patch_size
        self.position_side = position_side
        self.patch_embed = nn.Conv2d(3, embed_dim, patch_size, stride=patch_size)
        # The first row is the class token's of the pretraining; nothing reads it.
        self.position_embed = nn.Parameter(torch.zeros(1, 1 + position_side**2, embed_dim))
        injector = {"type": "TextInjector", **(text_injector or {}), "embed_dim": embed_dim}
        self.blocks = nn.ModuleList(
            ViTDetBlock(
                embed_dim,
                num_heads,
                window=None if i in global_blocks else window_size,
                relative_side=relative_side if i in global_blocks else window_size,
                drop_path=drop_path_rate * i / max(depth - 1, 1),
                text_injector=MODELS.build(injector) if i in text_blocks else None,
            )
            for i in range(depth)
        )
        self._draw_weights(init_std)
        if sine_position_scale is not None:
            grid = (position_side, position_side)
            init_sine_positions(self.position_embed[0, 1:], grid, sine_position_scale)
        if cosine_patch_scale is not None:
            init_cosine_patches(self.patch_embed.weight, cosine_patch_scale)

    def forward(
        self,
        images: Tensor,
        text: Tensor | None = None,
        text_padding_mask: Tensor | None = None,
    ) -> Tensor:
        """Encode images.

        Args:
            images: (B, 3, H, W), normalised; H and W multiples of the patch size.
            text: (B, T, C); needed where blocks read it.
            text_padding_mask: (B, T) bool, True = padding.

        Returns:
            (B, h, w, C).
        """
        if images.shape[2] % self.patch_size or images.shape[3] % self.patch_size:
            raise ValueError(
                f"images of {images.shape[2]} x {images.shape[3]} are not cut into patches of "
                f"{self.patch_size}; resize or pad them to multiples of it"
            )
        x = self.patch_embed(images).permute(0, 2, 3, 1)  # (B, h, w, C)
        x = x + self._positions((x.shape[1], x.shape[2]))
        for block in self.blocks:
            x = block(x, text, text_padding_mask)
        return x

    def _positions(self, grid: tuple[int, int]) -> Tensor:
        """Return the absolute positions, (1, h, w, C)."""
        side = self.position_side
        table = self.position_embed[:, 1:].unflatten(1, (side, side))
        if grid == (side, side):
            return table
        resized = F.interpolate(table.permute(0, 3, 1, 2), size=grid, mode="bicubic")
        return resized.permute(0, 2, 3, 1)

    def _draw_weights(self, std: float) -> None:
        nn.init.trunc_normal_(self.position_embed, std=std)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=std)
                nn.init.zeros_(module.bias)


class ViTDetBlock(nn.Module):
    """Attention, words where there is an injector, and a feed-forward network; pre-norm.

    Args:
        dim: C.
        num_heads: Attention heads.
        window: Side of the windows; None attends over the whole grid.
        relative_side: Side of the grid that the tables of relative positions are for.
        drop_path: Probability that a sample skips a residual branch.
        text_injector: Lets patches attend to words.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        window: int | None,
        relative_side: int,
        drop_path: float,
        text_injector: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attention = GridAttention(dim, num_heads, window=window, relative_side=relative_side)
        self.text_injector = text_injector
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = Mlp(dim, 4 * dim)
        self.drop_path = DropPath(drop_path)

    def forward(
        self, x: Tensor, text: Tensor | None = None, text_padding_mask: Tensor | None = None
    ) -> Tensor:
        """Update patches (B, h, w, C); text (B, T, C), its padding (B, T)."""
        x = x + self.drop_path(self.attention(self.norm1(x)))
        if self.text_injector is not None:
            if text is None:
                raise ValueError("this block reads the expression: expected text, got None")
            x = x + self.drop_path(self.text_injector(x, text, text_padding_mask))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class GridAttention(nn.Module):
    """Self-attention with relative positions, over the whole grid or within windows.

    Args:
        dim: C.
        num_heads: Attention heads.
        window: Side of the windows; None attends over the whole grid.
        relative_side: Side of the grid that the tables of relative positions are for.
    """

    def __init__(self, dim: int, num_heads: int, *, window: int | None, relative_side: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window = window
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.relative_position = DecomposedRelativePosition(dim // num_heads, relative_side)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, h, w, C) to the same shape."""
        if self.window is None:
            return self._attend(x)
        size = (x.shape[1], x.shape[2])
        return join_windows(self._attend(split_windows(x, self.window)), size)

    def _attend(self, x: Tensor) -> Tensor:
        """Attend within each of N grids (N, h, w, C)."""
        grid = (x.shape[1], x.shape[2])
        qkv = self.qkv(x).flatten(1, 2).unflatten(2, (3, self.num_heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (N, heads, h * w, C / heads) each
        bias = self.relative_position(query, grid)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.proj(attended.transpose(1, 2).reshape(x.shape))


def _check_blocks(name: str, blocks: Collection[int], depth: int) -> None:
    outside = [index for index in blocks if not 0 <= index < depth]
    if outside:
        raise ValueError(f"{name} names {outside}, but there are {depth} blocks, 0 to {depth - 1}")
