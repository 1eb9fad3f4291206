"""BEiT-3: one transformer over image patches and text tokens (Wang et al., CVPR 2023).

Attention is joint; all other layers exist twice, for vision and for text. Blocks are normalized
before and inside their branches (sub-LN, "Magneto", Wang et al. 2022, section 2).
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

# fairseq counts positions from 2 (0 and 1 are for padding); the published tables have these rows.
POSITION_OFFSET = 2


@dataclass(frozen=True)
class VisionLanguageFeatures:
    """Features of a backbone that reads image and text together.

    Attributes:
        image: Features of the patches, (B, h * w, C), in row-major order.
        text: Features of the tokens, (B, T, C).
        cls: Features of the CLS token, (B, C).
        grid: Height and width (h, w) of the grid of patches.
    """

    image: Tensor
    text: Tensor
    cls: Tensor
    grid: tuple[int, int]


@MODELS.register_module()
class BEiT3(nn.Module):
    """Multiway encoder of images and text, with its embeddings.

    Args:
        embed_dim: Channels C.
        depth: Number of blocks.
        num_heads: Number of attention heads.
        ffn_dim: Hidden channels of the feed-forward networks.
        image_size: Side of the square images in pixels, which determines the vision position table.
        patch_size: Side of a patch in pixels.
        vocab_size: Rows of the token table.
        num_text_positions: Rows of the text position table, including the 2 unused ones.
        drop_path_rate: Stochastic depth rate of the last block; it grows linearly from 0.
        init_std: Standard deviation of the initial weights of linear and patch layers. The
            published 0.02 suits 768 channels and more; attention of a narrower model would start
            almost uniform.
        embed_init_std: Standard deviation of the initial token, position and CLS embeddings. A
            model without pretraining can hardly distinguish words if these are small compared with
            the output of the first blocks.
        sine_position_scale: Amplitude of sines that initialize the position table of the patches,
            so that a model without pretraining knows which patches are neighbors. If `None`, the
            table is random.
        cosine_patch_scale: Scale of cosine filters that initialize the patch embedding, so that a
            model without pretraining sees edges as clearly as colors. If `None`, the filters are
            random.

    Raises:
        ValueError: `image_size` is not a multiple of `patch_size`.
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
                f"image_size must be a multiple of patch_size={patch_size}, got {image_size}"
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
            # The row of CLS, which precedes those of the patches, stays random.
            patches = self.vision_positions.weight[POSITION_OFFSET + 1 :]
            init_sine_positions(patches, self.grid, sine_position_scale)
        if cosine_patch_scale is not None:
            init_cosine_patches(self.patch_embed.weight, cosine_patch_scale)

    def forward(
        self, images: Tensor, token_ids: Tensor, text_padding_mask: Tensor
    ) -> VisionLanguageFeatures:
        """Encode images and their expressions together.

        Args:
            images: Normalized images (B, 3, H, W); H = W = `image_size`.
            token_ids: Token ids (B, T).
            text_padding_mask: Padding mask (B, T) bool, True = padding.

        Raises:
            ValueError: The images have another size, or there are more tokens than positions.
        """
        vision = self._embed_vision(images)  # (B, S, C), S = 1 + h * w
        text = self._embed_text(token_ids, text_padding_mask)  # (B, T, C)
        # Every block adds this to its attention scores; it would have to convert a bool mask first.
        text_bias = torch.zeros_like(text[..., 0]).masked_fill(text_padding_mask, -torch.inf)
        key_bias = F.pad(text_bias, (vision.shape[1], 0))[:, None, None]  # (B, 1, 1, S + T)
        for block in self.blocks:
            vision, text = block(vision, text, key_bias)
        vision, text = self.norm(vision, text)
        return VisionLanguageFeatures(
            image=vision[:, 1:], text=text, cls=vision[:, 0], grid=self.grid
        )

    def _init_weights(self, init_std: float, embed_init_std: float) -> None:
        """Draw weights from truncated normals; biases are 0 and layer norms the identity."""
        nn.init.trunc_normal_(self.cls_token, std=embed_init_std)
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.trunc_normal_(module.weight, std=embed_init_std)
            elif isinstance(module, nn.Linear | nn.Conv2d):
                nn.init.trunc_normal_(module.weight, std=init_std)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def _embed_vision(self, images: Tensor) -> Tensor:
        """Return embeddings of CLS and patches (B, 1 + h * w, C) of images (B, 3, H, W)."""
        patches = self.patch_embed(images)  # (B, C, h, w)
        if patches.shape[-2:] != self.grid:
            raise ValueError(
                f"images must have {self.grid[0]} x {self.grid[1]} patches for the position table, "
                f"got {patches.shape[2]} x {patches.shape[3]}; resize them to the backbone's "
                "image_size"
            )
        cls = self.cls_token.expand(images.shape[0], -1, -1)
        tokens = torch.cat([cls, patches.flatten(2).transpose(1, 2)], 1)
        return tokens + self.vision_positions.weight[POSITION_OFFSET:]

    def _embed_text(self, token_ids: Tensor, text_padding_mask: Tensor) -> Tensor:
        """Return embeddings (B, T, C) of token ids (B, T), 0 for padding."""
        length, longest = token_ids.shape[1], self.text_positions.num_embeddings - POSITION_OFFSET
        if length > longest:
            raise ValueError(
                f"text must have at most {longest} tokens for the position table, got {length}; "
                "lower max_tokens of TokenizeExpression or raise num_text_positions"
            )
        positions = self.text_positions.weight[POSITION_OFFSET : POSITION_OFFSET + length]
        tokens = self.token_embed(token_ids) + positions
        return tokens.masked_fill(text_padding_mask[..., None], 0.0)


class BEiT3Block(nn.Module):
    """Joint attention, then one feed-forward network per modality; pre-LN and sub-LN.

    Args:
        dim: Channels C.
        num_heads: Number of attention heads.
        ffn_dim: Hidden channels of the feed-forward networks.
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
        """Return the updated vision and text tokens, (B, S, C) and (B, T, C).

        Args:
            vision: Vision tokens (B, S, C).
            text: Text tokens (B, T, C).
            key_bias: Bias (B, 1, 1, S + T) of the attention scores: 0, or -inf for padding.
        """
        vision, text = self._residual(
            vision, text, *self.attention(*self.norm1(vision, text), key_bias)
        )
        return self._residual(vision, text, *self.ffn(*self.norm2(vision, text)))

    def _residual(
        self, vision: Tensor, text: Tensor, vision_branch: Tensor, text_branch: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Add the branches to vision (B, S, C) and text (B, T, C), of the same shapes."""
        if not self.training:
            return vision + vision_branch, text + text_branch
        # A sample skips a branch in both modalities or in neither.
        dropped = self.drop_path(torch.cat([vision_branch, text_branch], 1))
        split = vision.shape[1]
        return vision + dropped[:, :split], text + dropped[:, split:]


class MultiwayAttention(nn.Module):
    """Joint self-attention over both modalities, with separate projections.

    Args:
        dim: Channels C.
        num_heads: Number of attention heads.
    """

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = Multiway(lambda: nn.Linear(dim, 3 * dim))
        self.norm = Multiway(lambda: nn.LayerNorm(dim))
        self.proj = Multiway(lambda: nn.Linear(dim, dim))

    def forward(self, vision: Tensor, text: Tensor, key_bias: Tensor) -> tuple[Tensor, Tensor]:
        """Return the attended tokens (B, S, C) and (B, T, C); arguments as in `BEiT3Block`."""
        qkv = torch.cat(self.qkv(vision, text), 1)  # (B, S + T, 3 * C)
        query, key, value = qkv.unflatten(2, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        bias = key_bias.to(query.dtype)  # autocast may have lowered the precision of the query
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        attended = attended.transpose(1, 2).flatten(2)  # (B, S + T, C)
        split = vision.shape[1]
        return self.proj(*self.norm(attended[:, :split], attended[:, split:]))


class SubLNFeedForward(nn.Module):
    """Feed-forward network with sub-LN: fc1, GELU, layer norm, fc2.

    Args:
        dim: Channels C.
        hidden_dim: Channels between the layers.
    """

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.norm = nn.LayerNorm(hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, S, C) to the same shape."""
        return self.fc2(self.norm(F.gelu(self.fc1(x))))
