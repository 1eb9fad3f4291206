"""Attention-based selection of instance queries with prior reference points (InstanceVG)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torchvision.ops import MLP

from vgtoolbox.models.layers import (
    ConstantCache,
    PostNormFeedForward,
    PostNormSelfAttention,
    sine_position_encoding,
)
from vgtoolbox.registry import MODELS
from vgtoolbox.utils.choices import check_choice

TokenScore = Literal["mean", "l2"]


@dataclass(frozen=True)
class SelectedQueries:
    """Instance queries with their prior points.

    Attributes:
        content: Query contents (B, Q, C).
        points: Prior points (B, Q, 2), x and y in [0, 1] of the image.
        attention: Attention of each query over the grid, (B, Q, h, w); it sums to 1.
        attention_pooled: Maximum of `attention` over the valid queries, (B, h, w).
        is_valid: Whether a query has a token, (B, Q) bool; False for the surplus queries of an
            expression with fewer tokens than queries.
    """

    content: Tensor
    points: Tensor
    attention: Tensor
    attention_pooled: Tensor
    is_valid: Tensor


@MODELS.register_module()
class AttentionQuerySelector(nn.Module):
    """Turn the Q best text tokens into queries with prior points from their attention to the image.

    Args:
        channels: Channels C of image and text features.
        num_queries: Number of queries Q.
        num_heads: Number of attention heads.
        ffn_channels: Hidden channels of the attention layer's feed-forward network.
        dropout: Dropout rate of the attention layer.
        distance_weight: Weight of a cell's distance to the points already chosen, which spreads
            the points. At 0 the points are the Q most attended cells.
        token_score: Score by which text tokens are ranked: "mean" of the channels, with which the
            published weights were trained, or their "l2" norm, as the paper says.

    Raises:
        ValueError: `token_score` is not one of these.
    """

    def __init__(
        self,
        *,
        channels: int = 256,
        num_queries: int = 10,
        num_heads: int = 8,
        ffn_channels: int = 512,
        dropout: float = 0.1,
        distance_weight: float = 0.003,
        token_score: TokenScore = "mean",
    ) -> None:
        super().__init__()
        check_choice("token_score", token_score, get_args(TokenScore))
        self.num_queries = num_queries
        self.distance_weight = distance_weight
        self.token_score = token_score
        self.text_to_image = TextToImageLayer(channels, num_heads, ffn_channels, dropout=dropout)
        self.content_mlp = MLP(2 * channels, [channels] * 3, inplace=None)
        self._constants = ConstantCache()

    def forward(self, image: Tensor, text: Tensor, text_padding_mask: Tensor) -> SelectedQueries:
        """Select the queries of each sample.

        Args:
            image: Image features (B, C, h, w).
            text: Text features (B, T, C).
            text_padding_mask: Padding mask (B, T) bool, True = padding.

        Raises:
            ValueError: T is smaller than Q.
        """
        grid = (image.shape[2], image.shape[3])
        cells = image.flatten(2).transpose(1, 2)  # (B, h * w, C)
        tokens, is_valid = self.filter_tokens(text, text_padding_mask)
        queries, attention = self.text_to_image(tokens, cells, grid)  # (B, Q, C), (B, Q, h * w)
        pooled = attention.masked_fill(~is_valid[..., None], 0.0).amax(1)  # (B, h * w)
        bonus = self._constants.get(
            (grid, image.device), lambda: distance_bonus(grid, self.distance_weight, image.device)
        )
        index = spread_points(pooled.detach(), bonus, self.num_queries)  # (B, Q)
        at_points = cells.gather(1, index[..., None].expand(-1, -1, cells.shape[2]))  # (B, Q, C)
        return SelectedQueries(
            content=self.content_mlp(torch.cat([queries, at_points], 2)),
            points=_cell_centers(index, grid),
            attention=attention.unflatten(2, grid),
            attention_pooled=pooled.unflatten(1, grid),
            is_valid=is_valid,
        )

    def filter_tokens(self, text: Tensor, text_padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the Q tokens with the highest scores, or the first Q tokens if fewer are valid.

        Args:
            text: Text features (B, T, C).
            text_padding_mask: Padding mask (B, T) bool, True = padding.

        Returns:
            Tokens (B, Q, C), zero for padding, and whether each is valid, (B, Q) bool.

        Raises:
            ValueError: T is smaller than Q.
        """
        if text.shape[1] < self.num_queries:
            raise ValueError(
                f"text must have at least num_queries={self.num_queries} tokens, got "
                f"{text.shape[1]}; raise max_tokens of TokenizeExpression or lower num_queries"
            )
        score = text.mean(2) if self.token_score == "mean" else text.norm(dim=2)
        best = score.masked_fill(text_padding_mask, -torch.inf).topk(self.num_queries).indices
        first = torch.arange(self.num_queries, device=text.device)
        enough = (~text_padding_mask).sum(1, keepdim=True) >= self.num_queries
        index = torch.where(enough, best, first)  # (B, Q)
        is_valid = ~text_padding_mask.gather(1, index)
        tokens = text.gather(1, index[..., None].expand(-1, -1, text.shape[2]))
        return tokens * is_valid[..., None], is_valid


class TextToImageLayer(nn.Module):
    """Post-norm decoder layer in which text tokens attend to the image.

    The tokens serve as query positions; the query contents start at zero (DETR).

    Args:
        channels: Channels C.
        num_heads: Number of attention heads.
        ffn_channels: Hidden channels of the feed-forward network.
        dropout: Dropout rate of attention weights and feed-forward layers.
    """

    def __init__(self, channels: int, num_heads: int, ffn_channels: int, *, dropout: float) -> None:
        super().__init__()
        self.self_attention = PostNormSelfAttention(channels, num_heads, dropout=dropout)
        self.cross_attention = nn.MultiheadAttention(
            channels, num_heads, dropout=dropout, batch_first=True
        )
        self.cross_norm = nn.LayerNorm(channels)
        self.ffn = PostNormFeedForward(channels, ffn_channels, dropout=dropout)
        self.norm = nn.LayerNorm(channels)
        self._constants = ConstantCache()

    def forward(
        self, tokens: Tensor, cells: Tensor, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Let tokens attend to the cells of the image.

        Args:
            tokens: Text tokens (B, Q, C).
            cells: Image features (B, h * w, C).
            grid: Height and width (h, w) of the grid of cells.

        Returns:
            Queries (B, Q, C) and their attention to the cells (B, Q, h * w), the mean over heads.
        """
        channels, device, dtype = cells.shape[2], cells.device, cells.dtype
        position = self._constants.get(
            (grid, device, dtype),
            lambda: sine_position_encoding(grid, channels, device=device).to(dtype),
        )
        x = self.self_attention(torch.zeros_like(tokens), tokens)
        gathered, attention = self.cross_attention(x + tokens, cells + position, cells)
        return self.norm(self.ffn(self.cross_norm(x + gathered))), attention


def distance_bonus(
    grid: tuple[int, int], weight: float, device: torch.device | None = None
) -> Tensor:
    """Return the score bonus for the distance between cells: weight * distance / grid diagonal.

    Args:
        grid: Height and width (h, w) of the grid.
        weight: Weight of the distance, which is measured in grid diagonals.
        device: Device of the result. If `None`, PyTorch's default device.

    Returns:
        Bonus of each pair of cells, (h * w, h * w) float32; -inf on the diagonal, so that no cell
        is chosen twice.
    """
    height, width = grid
    rows, columns = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    cells = torch.stack([rows, columns], 2).flatten(0, 1).float()  # (h * w, 2)
    distance = (cells[:, None] - cells[None]).norm(dim=2)
    diagonal = (height**2 + width**2) ** 0.5
    same = torch.eye(len(cells), dtype=torch.bool, device=device)
    return (weight * distance / diagonal).masked_fill(same, -torch.inf)


def spread_points(attention: Tensor, bonus: Tensor, num_points: int) -> Tensor:
    """Choose cells that are highly attended and far apart, one after the other.

    The first is the most attended cell; each following one maximizes sigmoid(attention) + bonus for
    the distance to the nearest chosen cell.

    Args:
        attention: Attention to the cells, (B, h * w).
        bonus: Bonus of each pair of cells, (h * w, h * w), as returned by `distance_bonus`.
        num_points: Number of points P.

    Returns:
        Cell indices (B, P) in the order of choice.

    Raises:
        ValueError: There are more points than cells.
    """
    if num_points > len(bonus):
        raise ValueError(
            f"num_points must be at most the number of cells of the grid ({len(bonus)}), got "
            f"{num_points}"
        )
    score = attention.float().sigmoid()
    chosen = [score.argmax(1)]
    nearest = bonus[chosen[0]]  # (B, h * w), bonus of each cell for its nearest chosen cell
    for _ in range(num_points - 1):
        chosen.append((score + nearest).argmax(1))
        nearest = nearest.minimum(bonus[chosen[-1]])
    return torch.stack(chosen, 1)


def _cell_centers(index: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return the centers (B, Q, 2), x and y in [0, 1], of cells (B, Q) of a grid (h, w)."""
    height, width = grid
    x = (index % width + 0.5) / width
    y = (index.div(width, rounding_mode="floor") + 0.5) / height
    return torch.stack([x, y], 2)
