"""A post-norm transformer decoder layer, in halves that can be computed apart."""

from __future__ import annotations

from torch import Tensor, nn


class SplitDecoderLayer(nn.Module):
    """One post-norm decoder layer and a final norm, without positions (Vaswani et al., 2017).

    `forward` is the layer. `self_attention` and `cross_attention` are its two halves: the first
    does not read the memory, so it can be computed once for several memories.

    Args:
        channels: C.
        num_heads: Attention heads.
        ffn_channels: Width of the feed-forward network.
        dropout: Everywhere.
    """

    def __init__(
        self, *, channels: int, num_heads: int = 8, ffn_channels: int, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.layer = nn.TransformerDecoderLayer(
            channels, num_heads, ffn_channels, dropout, batch_first=True
        )
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """Update x (B, P, C) by memory (B, M, C)."""
        return self.norm(self.layer(x, memory))

    def self_attention(self, x: Tensor) -> Tensor:
        """Return self-attention of x (B, P, C), added and normalised."""
        layer = self.layer
        attended, _ = layer.self_attn(x, x, x, need_weights=False)
        return layer.norm1(x + layer.dropout1(attended))

    def cross_attention(self, x: Tensor, memory: Tensor) -> Tensor:
        """Finish the layer for x (B, P, C) from `self_attention`.

        Args:
            x: Of the first half.
            memory: (B, M, C). Attention to a single token is that token's value, whatever the
                query: for M = 1, outside training, only the value is computed.
        """
        layer = self.layer
        if memory.shape[1] == 1 and not self.training:
            attended = self._value(memory)
        else:
            attended, _ = layer.multihead_attn(x, memory, memory, need_weights=False)
        x = layer.norm2(x + layer.dropout2(attended))
        hidden = layer.dropout(layer.activation(layer.linear1(x)))
        x = layer.norm3(x + layer.dropout3(layer.linear2(hidden)))
        return self.norm(x)

    def _value(self, memory: Tensor) -> Tensor:
        """Return what attention to one token (B, 1, C) gives."""
        attention = self.layer.multihead_attn
        channels = memory.shape[-1]
        weight, bias = attention.in_proj_weight[2 * channels :], attention.in_proj_bias
        value = nn.functional.linear(memory, weight, bias[2 * channels :])
        return attention.out_proj(value)
