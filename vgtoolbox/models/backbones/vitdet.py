"""ViTDet's plain vision transformer (Li et al., ECCV 2022), optionally conditioned on text.

Most blocks attend within windows, a few over the whole grid; both use relative positions. In the
chosen blocks a `TextInjector` lets the patches attend to words, as PLVL does in the global blocks.
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
    """Plain vision transformer with windowed and global blocks; without a final norm or pyramid.

    Args:
        embed_dim: Channels C.
        depth: Number of blocks.
        num_heads: Number of attention heads.
        patch_size: Side of a patch in pixels.
        window_size: Side of a window in patches.
        global_blocks: Indices of the blocks that attend over the whole grid.
        position_grid_size: Side in patches of the grid of the absolute position table, which is
            that of the pretraining; the table is resampled for other grids.
        relative_grid_size: Side in patches of the grid of the relative position tables in the
            global blocks; they are resampled for other grids.
        drop_path_rate: Stochastic depth rate of the last block; it grows linearly from 0.
        text_blocks: Indices of the blocks that read the expression. If empty, the backbone reads
            no text.
        text_injector: Config of the module with which these blocks read it, by default of type
            `TextInjector`; its `embed_dim` is set to C.
        init_std: Standard deviation of the initial weights of linear layers and of the absolute
            positions.
        sine_position_scale: Amplitude of sines that initialize the absolute positions, for a model
            without pretraining. If `None`, they are random.
        cosine_patch_scale: Scale of cosine filters that initialize the patch embedding, for a model
            without pretraining. If `None`, PyTorch's initialization is kept.

    Raises:
        ValueError: `global_blocks` or `text_blocks` contains an index that is not in [0, depth).
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
        position_grid_size: int = 14,
        relative_grid_size: int = 64,
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
        self.position_grid_size = position_grid_size
        self.patch_embed = nn.Conv2d(3, embed_dim, patch_size, stride=patch_size)
        # The first row belongs to the class token of the pretraining and is not used.
        self.position_embed = nn.Parameter(torch.zeros(1, 1 + position_grid_size**2, embed_dim))
        injector = {"type": "TextInjector", **(text_injector or {}), "embed_dim": embed_dim}
        self.blocks = nn.ModuleList(
            ViTDetBlock(
                embed_dim,
                num_heads,
                window_size=None if i in global_blocks else window_size,
                relative_grid_size=relative_grid_size if i in global_blocks else window_size,
                drop_path=drop_path_rate * i / max(depth - 1, 1),
                text_injector=MODELS.build(injector) if i in text_blocks else None,
            )
            for i in range(depth)
        )
        self._init_weights(init_std)
        if sine_position_scale is not None:
            grid = (position_grid_size, position_grid_size)
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
            images: Normalized images (B, 3, H, W); H and W are multiples of `patch_size`.
            text: Word features (B, T, C), required if `text_blocks` is not empty.
            text_padding_mask: Padding mask (B, T) bool, True = padding.

        Returns:
            Features (B, h, w, C).

        Raises:
            ValueError: H or W is not a multiple of `patch_size`, or required text is missing.
        """
        if images.shape[2] % self.patch_size or images.shape[3] % self.patch_size:
            raise ValueError(
                f"height and width of images must be multiples of patch_size={self.patch_size}, "
                f"got {images.shape[2]} x {images.shape[3]}; resize or pad them"
            )
        x = self.patch_embed(images).permute(0, 2, 3, 1)  # (B, h, w, C)
        x = x + self._positions((x.shape[1], x.shape[2]))
        for block in self.blocks:
            x = block(x, text, text_padding_mask)
        return x

    def _positions(self, grid: tuple[int, int]) -> Tensor:
        """Return the absolute positions (1, h, w, C) for a grid (h, w)."""
        side = self.position_grid_size
        table = self.position_embed[:, 1:].unflatten(1, (side, side))  # (1, side, side, C)
        if grid == (side, side):
            return table
        resized = F.interpolate(table.permute(0, 3, 1, 2), size=grid, mode="bicubic")
        return resized.permute(0, 2, 3, 1)

    def _init_weights(self, std: float) -> None:
        """Draw linear weights and positions from truncated normals; biases are 0."""
        nn.init.trunc_normal_(self.position_embed, std=std)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=std)
                nn.init.zeros_(module.bias)


class ViTDetBlock(nn.Module):
    """Pre-norm block of attention, an optional text injector, and a feed-forward network.

    Args:
        dim: Channels C.
        num_heads: Number of attention heads.
        window_size: Side of the windows in patches. If `None`, attention is over the whole grid.
        relative_grid_size: Side in patches of the grid of the relative position tables.
        drop_path: Probability that a sample skips a residual branch.
        text_injector: Module by which patches attend to words. If `None`, the block reads no text.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        *,
        window_size: int | None,
        relative_grid_size: int,
        drop_path: float,
        text_injector: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.attention = GridAttention(
            dim, num_heads, window_size=window_size, relative_grid_size=relative_grid_size
        )
        self.text_injector = text_injector
        self.norm2 = nn.LayerNorm(dim, eps=NORM_EPS)
        self.mlp = Mlp(dim, 4 * dim)
        self.drop_path = DropPath(drop_path)

    def forward(
        self, x: Tensor, text: Tensor | None = None, text_padding_mask: Tensor | None = None
    ) -> Tensor:
        """Return the updated patches (B, h, w, C).

        Args:
            x: Patches (B, h, w, C).
            text: Word features (B, T, C), required if the block has a text injector.
            text_padding_mask: Padding mask (B, T) bool, True = padding.
        """
        x = x + self.drop_path(self.attention(self.norm1(x)))
        if self.text_injector is not None:
            if text is None:
                raise ValueError("text must be given to blocks in text_blocks, got None")
            x = x + self.drop_path(self.text_injector(x, text, text_padding_mask))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class GridAttention(nn.Module):
    """Self-attention with relative positions, over the whole grid or within windows.

    Args:
        dim: Channels C.
        num_heads: Number of attention heads.
        window_size: Side of the windows in patches. If `None`, attention is over the whole grid.
        relative_grid_size: Side in patches of the grid of the relative position tables.
    """

    def __init__(
        self, dim: int, num_heads: int, *, window_size: int | None, relative_grid_size: int
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window_size = window_size
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.relative_position = DecomposedRelativePosition(dim // num_heads, relative_grid_size)

    def forward(self, x: Tensor) -> Tensor:
        """Return the attended patches, from x (B, h, w, C) to (B, h, w, C)."""
        if self.window_size is None:
            return self._attend(x)
        size = (x.shape[1], x.shape[2])
        return join_windows(self._attend(split_windows(x, self.window_size)), size)

    def _attend(self, x: Tensor) -> Tensor:
        """Attend within each of N grids, from x (N, h, w, C) to (N, h, w, C)."""
        grid = (x.shape[1], x.shape[2])
        qkv = self.qkv(x).flatten(1, 2).unflatten(2, (3, self.num_heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # (N, heads, h * w, C / heads) each
        bias = self.relative_position(query, grid)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.proj(attended.transpose(1, 2).reshape(x.shape))


def _check_blocks(name: str, blocks: Collection[int], depth: int) -> None:
    """Raise ValueError if `blocks` contains an index that is not in [0, depth)."""
    outside = [index for index in blocks if not 0 <= index < depth]
    if outside:
        raise ValueError(f"{name} must be between 0 and {depth - 1}, got {outside}")
