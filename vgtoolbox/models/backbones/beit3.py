"""BEiT-3: one transformer over image patches and text tokens (Wang et al., CVPR 2023).

Attention is joint; every other layer exists twice, for vision and for text. Blocks are normalised
before and inside (sub-LN, "Magneto", Wang et al. 2022, section 2).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from timm.layers import DropPath
from torch import Tensor, nn
from torch.nn import functional as F

from vgtoolbox.models.layers import Multiway
from vgtoolbox.models.layers.initialization import init_cosine_patches, init_sine_positions
from vgtoolbox.registry import MODELS

# fairseq counts positions from 2 (0 and 1 stand for padding); the published tables hold those rows.
POSITION_OFFSET = 2


@dataclass(frozen=True)
class VisionLanguageFeatures:
    """What a backbone that reads image and text together returns.

    Attributes:
        image: (B, h * w, C), patches in row-major order.
        text: (B, T, C).
        cls: (B, C).
        grid: (h, w).
    """

    image: Tensor
    text: Tensor
    cls: Tensor
    grid: tuple[int, int]


@MODELS.register_module()
class BEiT3(nn.Module):
    """The multiway encoder, vision and text embeddings included.

    Args:
        embed_dim: C.
        depth: Number of blocks.
        num_heads: Attention heads.
        ffn_dim: Hidden width of the feed-forward networks.
        image_size: Side of the square images; fixes the vision position table.
        patch_size: Side of a patch.
        vocab_size: Rows of the token table.
        num_text_positions: Rows of the text position table, the 2 unused ones included.
        drop_path_rate: Stochastic depth of the last block; grows linearly from 0.
        init_std: Of the weights of linear and patch layers. The published 0.02 suits a width of
            768 and more; a narrow model that starts from it attends almost uniformly.
        embed_init_std: Of token, position and CLS tables. Without pretraining, tables that are
            small beside the first blocks' output leave words hard to tell apart.
        sine_position_scale: Start the patches' position table from sines of this amplitude instead
            of noise: a model without pretraining then knows which patches are neighbours.
        cosine_patch_scale: Start the patch embedding from cosine filters of this strength instead
            of noise: a model without pretraining then sees edges as clearly as colours.
    """

    def __init__(
        self,
        *,
        embed_dim: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        ffn_dim: int = 3072,
        image_size: int = 320,
        patch_size: int = 16,
        vocab_size: int = 64010,
        num_text_positions: int = 1024,
        drop_path_rate: float = 0.1,
        init_std: float = 0.02,
        embed_init_std: float = 0.02,
        sine_position_scale: float | None = None,
        cosine_patch_scale: float | None = None,
    ) -> None:
        super().__init__()
        if image_size % patch_size:
            raise ValueError(
                f"image_size ({image_size}) must be a multiple of patch_size ({patch_size})"
            )
        self.embed_dim = embed_dim
        self.grid = (image_size // patch_size, image_size // patch_size)
        num_patches = self.grid[0] * self.grid[1]
        self.patch_embed = nn.Conv2d(3, embed_dim, patch_size, stride=patch_size)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, embed_dim))
        self.token_embed = nn.Embedding(vocab_size, embed_dim)
        self.vision_positions = nn.Embedding(POSITION_OFFSET + 1 + num_patches, embed_dim)
        self.text_positions = nn.Embedding(num_text_positions, embed_dim)
        self.blocks = nn.ModuleList(
            BEiT3Block(
                embed_dim, num_heads, ffn_dim, drop_path=drop_path_rate * i / max(depth - 1, 1)
            )
            for i in range(depth)
        )
        self.norm = Multiway(lambda: nn.LayerNorm(embed_dim))
        self._init_weights(init_std, embed_init_std)
        if sine_position_scale is not None:
            # The row of CLS, before those of the patches, keeps its noise.
            patches = self.vision_positions.weight[POSITION_OFFSET + 1 :]
            init_sine_positions(patches, self.grid, sine_position_scale)
        if cosine_patch_scale is not None:
            init_cosine_patches(self.patch_embed.weight, cosine_patch_scale)

    def forward(
        self, images: Tensor, token_ids: Tensor, text_padding_mask: Tensor
    ) -> VisionLanguageFeatures:
        """Encode images and their expressions together.

        Args:
            images: (B, 3, H, W), normalised; H = W = `image_size`.
            token_ids: (B, T).
            text_padding_mask: (B, T) bool, True = padding.
        """
        vision = self._embed_vision(images)  # (B, 1 + h * w, C)
        text = self._embed_text(token_ids, text_padding_mask)  # (B, T, C)
        # Added to the attention scores by every block. Given as bool, each would convert it anew.
        text_bias = torch.zeros_like(text[..., 0]).masked_fill(text_padding_mask, -torch.inf)
        key_bias = F.pad(text_bias, (vision.shape[1], 0))[:, None, None]  # (B, 1, 1, S + T)
        for block in self.blocks:
            vision, text = block(vision, text, key_bias)
        vision, text = self.norm(vision, text)
        return VisionLanguageFeatures(
            image=vision[:, 1:], text=text, cls=vision[:, 0], grid=self.grid
        )

    def _init_weights(self, init_std: float, embed_init_std: float) -> None:
        """Draw from truncated normals; biases are 0, layer norms the identity."""
        nn.init.trunc_normal_(self.cls_token, std=embed_init_std)
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.trunc_normal_(module.weight, std=embed_init_std)
            elif isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=init_std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def _embed_vision(self, images: Tensor) -> Tensor:
        patches = self.patch_embed(images)
        if patches.shape[-2:] != self.grid:
            raise ValueError(
                f"the position table is for a grid of {self.grid} patches, the images give "
                f"{tuple(patches.shape[-2:])}; resize them to the backbone's image_size"
            )
        cls = self.cls_token.expand(images.shape[0], -1, -1)
        tokens = torch.cat([cls, patches.flatten(2).transpose(1, 2)], 1)
        return tokens + self.vision_positions.weight[POSITION_OFFSET:]

    def _embed_text(self, token_ids: Tensor, text_padding_mask: Tensor) -> Tensor:
        length, longest = token_ids.shape[1], self.text_positions.num_embeddings - POSITION_OFFSET
        if length > longest:
            raise ValueError(
                f"{length} text tokens, but the position table holds {longest}; lower max_tokens "
                "of TokenizeExpression or raise num_text_positions"
            )
        positions = self.text_positions.weight[POSITION_OFFSET : POSITION_OFFSET + length]
        tokens = self.token_embed(token_ids) + positions
        return tokens.masked_fill(text_padding_mask[..., None], 0.0)


class BEiT3Block(nn.Module):
    """Joint attention, then a feed-forward network a modality; pre-LN and sub-LN.

    Args:
        dim: C.
        num_heads: Attention heads.
        ffn_dim: Hidden width of the feed-forward networks.
        drop_path: Probability that a sample skips a residual branch.
    """

    def __init__(self, dim: int, num_heads: int, ffn_dim: int, *, drop_path: float) -> None:
        super().__init__()
        self.norm1 = Multiway(lambda: nn.LayerNorm(dim))
        self.attention = MultiwayAttention(dim, num_heads)
        self.norm2 = Multiway(lambda: nn.LayerNorm(dim))
        self.ffn = Multiway(lambda: SubLNFeedForward(dim, ffn_dim))
        self.drop_path = DropPath(drop_path)

    def forward(self, vision: Tensor, text: Tensor, key_bias: Tensor) -> tuple[Tensor, Tensor]:
        """Update vision (B, S, C) and text (B, T, C).

        Args:
            vision: (B, S, C).
            text: (B, T, C).
            key_bias: (B, 1, 1, S + T), added to attention scores: 0, or -inf for padding.
        """
        vision, text = self._residual(
            vision, text, *self.attention(*self.norm1(vision, text), key_bias)
        )
        return self._residual(vision, text, *self.ffn(*self.norm2(vision, text)))

    def _residual(
        self, vision: Tensor, text: Tensor, vision_branch: Tensor, text_branch: Tensor
    ) -> tuple[Tensor, Tensor]:
        if not self.training:
            return vision + vision_branch, text + text_branch
        # A sample is dropped as a whole: both modalities of a branch, or none.
        dropped = self.drop_path(torch.cat([vision_branch, text_branch], 1))
        split = vision.shape[1]
        return vision + dropped[:, :split], text + dropped[:, split:]


class MultiwayAttention(nn.Module):
    """Self-attention over both modalities, with projections of their own.

    Args:
        dim: C.
        num_heads: Attention heads.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = Multiway(lambda: nn.Linear(dim, 3 * dim))
        self.norm = Multiway(lambda: nn.LayerNorm(dim))
        self.proj = Multiway(lambda: nn.Linear(dim, dim))

    def forward(self, vision: Tensor, text: Tensor, key_bias: Tensor) -> tuple[Tensor, Tensor]:
        """Attend; arguments as in `BEiT3Block.forward`."""
        qkv = torch.cat(self.qkv(vision, text), 1)  # (B, S + T, 3 * C)
        query, key, value = qkv.unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        bias = key_bias.to(query.dtype)  # which autocast may have narrowed
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        attended = attended.transpose(1, 2).flatten(2)  # (B, S + T, C)
        split = vision.shape[1]
        return self.proj(*self.norm(attended[:, :split], attended[:, split:]))


class SubLNFeedForward(nn.Module):
    """fc1, GELU, layer norm, fc2.

    Args:
        dim: C.
        hidden_dim: Width between the layers.
    """

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.norm = nn.LayerNorm(hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, S, C) to the same shape."""
        return self.fc2(self.norm(F.gelu(self.fc1(x))))
