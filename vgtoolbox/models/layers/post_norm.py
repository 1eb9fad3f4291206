"""Post-norm residual blocks of DETR-like decoder layers: self-attention and feed-forward."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class PostNormSelfAttention(nn.Module):
    """Multi-head self-attention with positions added to queries and keys.

    Args:
        channels: Channels C.
        num_heads: Number of attention heads.
        dropout: Dropout rate of the attention weights.
    """

    def __init__(self, channels: int, num_heads: int, *, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(
            channels, num_heads, dropout=dropout, batch_first=True
        )
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        """Return the updated queries (B, Q, C).

        Args:
            x: Queries (B, Q, C).
            position: Positions (B, Q, C), added to attention's queries and keys but not its values.
        """
        query = x + position
        attended, _ = self.attention(query, query, x, need_weights=False)
        # Attention's output has strides that torch.compile's decomposed norm does not preserve.
        return self.norm(x + attended.contiguous())


class PostNormFeedForward(nn.Module):
    """Two linear layers with a ReLU between them.

    Args:
        channels: Channels C.
        hidden_channels: Channels between the layers.
        dropout: Dropout rate after each layer.
    """

    def __init__(self, channels: int, hidden_channels: int, *, dropout: float) -> None:
        super().__init__()
        self.linear1 = nn.Linear(channels, hidden_channels)
        self.linear2 = nn.Linear(hidden_channels, channels)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the updated queries, from x (B, Q, C) to (B, Q, C)."""
        hidden = self.dropout(F.relu(self.linear1(x)))
        return self.norm(x + self.dropout(self.linear2(hidden)))
