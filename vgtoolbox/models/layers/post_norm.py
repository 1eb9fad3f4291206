"""The two residual blocks that DETR-like decoder layers share: normalised after the addition."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class PostNormSelfAttention(nn.Module):
    """Multi-head self-attention whose queries and keys carry a position.

    Args:
        channels: C.
        num_heads: Attention heads.
        dropout: Of the attention weights.
    """

    def __init__(self, channels: int, num_heads: int, *, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(
            channels, num_heads, dropout=dropout, batch_first=True
        )
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, position: Tensor) -> Tensor:
        """Update x (B, Q, C), with `position` (B, Q, C) added to queries and keys only."""
        query = x + position
        attended, _ = self.attention(query, query, x, need_weights=False)
        # Attention gives other strides than torch.compile's decomposed norm hands on.
        return self.norm(x + attended.contiguous())


class PostNormFeedForward(nn.Module):
    """Two linear layers with a ReLU between.

    Args:
        channels: C.
        hidden_channels: Width between the layers.
        dropout: After each layer.
    """

    def __init__(self, channels: int, hidden_channels: int, *, dropout: float) -> None:
        super().__init__()
        self.linear1 = nn.Linear(channels, hidden_channels)
        self.linear2 = nn.Linear(hidden_channels, channels)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Update x (B, Q, C)."""
        hidden = self.dropout(F.relu(self.linear1(x)))
        return self.norm(x + self.dropout(self.linear2(hidden)))
