"""Attention-based query selection: instance queries with prior reference points (InstanceVG)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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

TokenScore = Literal["mean", "l2"]


@dataclass(frozen=True)
class SelectedQueries:
    """Instance queries and the points that they stand at.

    Attributes:
        content: (B, Q, C).
        points: (B, Q, 2), x and y in 0..1 of the image.
        attention: (B, Q, h, w), each query's attention over the grid; sums to 1.
        attention_pooled: (B, h, w), maximum of `attention` over the valid queries.
        is_valid: (B, Q) bool; False where the expression has fewer tokens than there are queries.
    """

    content: Tensor
    points: Tensor
    attention: Tensor
    attention_pooled: Tensor
    is_valid: Tensor


@MODELS.register_module()
class AttentionQuerySelector(nn.Module):
    """The Q best text tokens attend to the image; where they look become the reference points.

    Args:
        channels: C of image and text features.
        num_queries: Q.
        num_heads: Attention heads.
        ffn_channels: Hidden width of the attention layer's feed-forward network.
        dropout: In the attention layer.
        distance_weight: Bonus of a cell's distance to the points already chosen, which spreads
            the points; at 0 they are simply the Q most attended cells.
        token_score: What ranks text tokens: "mean" of the channels, as the published weights
            were trained, or their "l2" norm, as the paper says.
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
        if token_score not in ("mean", "l2"):
            raise ValueError(f"token_score must be 'mean' or 'l2', got {token_score!r}")
        self.num_queries = num_queries
        self.distance_weight = distance_weight
        self.token_score = token_score
        self.text_to_image = TextToImageLayer(channels, num_heads, ffn_channels, dropout=dropout)
        self.content_mlp = MLP(2 * channels, [channels] * 3, inplace=None)
        self._constants = ConstantCache()

    def forward(self, image: Tensor, text: Tensor, text_padding_mask: Tensor) -> SelectedQueries:
        """Select the queries of each sample.

        Args:
            image: (B, C, h, w).
            text: (B, T, C).
            text_padding_mask: (B, T) bool, True = padding.
        """
        grid = (image.shape[2], image.shape[3])
        cells = image.flatten(2).transpose(1, 2)  # (B, h * w, C)
        tokens, is_valid = self.filter_tokens(text, text_padding_mask)
        queries, attention = self.text_to_image(tokens, cells, grid)  # (B, Q, C), (B, Q, h * w)
        pooled = attention.masked_fill(~is_valid[..., None], 0.0).amax(1)  # (B, h * w)
        bonus = self._constants.get(
            (grid, image.device), lambda: distance_bonus(grid, self.distance_weight, image.device)
        )
        index = spread_points(pooled.detach(), bonus, self.num_queries)
        at_points = cells.gather(1, index[..., None].expand(-1, -1, cells.shape[2]))
        return SelectedQueries(
            content=self.content_mlp(torch.cat([queries, at_points], 2)),
            points=_cell_centres(index, grid),
            attention=attention.unflatten(2, grid),
            attention_pooled=pooled.unflatten(1, grid),
            is_valid=is_valid,
        )

    def filter_tokens(self, text: Tensor, text_padding_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the Q tokens of highest score, or the first Q where fewer are valid.

        Args:
            text: (B, T, C).
            text_padding_mask: (B, T) bool, True = padding.

        Returns:
            Tokens (B, Q, C), zero where none was left, and which of them are valid (B, Q).
        """
        if text.shape[1] < self.num_queries:
            raise ValueError(
                f"{self.num_queries} queries need as many text tokens, got {text.shape[1]}; "
                "raise max_tokens of TokenizeExpression or lower num_queries"
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
    """One post-norm decoder layer, from text tokens to the image.

    The tokens serve as query positions; the query contents start at zero (DETR).

    Args:
        channels: C.
        num_heads: Attention heads.
        ffn_channels: Hidden width of the feed-forward network.
        dropout: Of attention weights and feed-forward layers.
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
        """Let tokens (B, Q, C) look at cells (B, h * w, C).

        Returns:
            Queries (B, Q, C), and how each attends to the cells (B, Q, h * w), mean over heads.
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
    """Return what a cell gains by its distance from another: weight * distance / grid diagonal.

    Args:
        grid: (h, w).
        weight: Of the distance, which is a share of the diagonal.
        device: Where the result lies.

    Returns:
        (h * w, h * w), float32; -inf on the diagonal, where no second point may stand.
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
    """Choose cells that are attended and far apart, one after the other.

    The first is the most attended cell; each further one has the highest
    sigmoid(attention) + bonus of the nearest chosen cell.

    Args:
        attention: (B, h * w).
        bonus: (h * w, h * w), as `distance_bonus` gives it.
        num_points: P.

    Returns:
        Cell indices (B, P), in the order of choice.
    """
    if num_points > len(bonus):
        raise ValueError(f"{num_points} points are more than the {len(bonus)} cells of the grid")
    score = attention.float().sigmoid()
    chosen = [score.argmax(1)]
    nearest = bonus[chosen[0]]
    for _ in range(num_points - 1):
        chosen.append((score + nearest).argmax(1))
        nearest = nearest.minimum(bonus[chosen[-1]])
    return torch.stack(chosen, 1)


def _cell_centres(index: Tensor, grid: tuple[int, int]) -> Tensor:
    """Return the centres of cells (B, Q), x and y in 0..1: (B, Q, 2)."""
    height, width = grid
    x = (index % width + 0.5) / width
    y = (index.div(width, rounding_mode="floor") + 0.5) / height
    return torch.stack([x, y], 2)
