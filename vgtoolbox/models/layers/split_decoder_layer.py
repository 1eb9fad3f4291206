"""Post-norm transformer decoder layer whose two halves can be computed separately."""

from __future__ import annotations

from torch import Tensor, nn


class SplitDecoderLayer(nn.Module):
    """One post-norm decoder layer with a final norm, without positions (Vaswani et al., 2017).

    `forward` computes the whole layer. `self_attention` and `cross_attention` are its two halves:
    the first does not read the memory, so it can be computed once for several memories.

    Args:
        channels: Channels C.
        num_heads: Number of attention heads.
        ffn_channels: Hidden channels of the feed-forward network.
        dropout: Dropout rate of attention weights, residual branches and the feed-forward network.
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
        """Return the updated tokens (B, P, C).

        Args:
            x: Tokens (B, P, C).
            memory: Tokens (B, M, C) that x attends to.
        """
        return self.norm(self.layer(x, memory))

    def self_attention(self, x: Tensor) -> Tensor:
        """Run the first half of the layer: x (B, P, C) plus its self-attention, normalized."""
        layer = self.layer
        attended, _ = layer.self_attn(x, x, x, need_weights=False)
        return layer.norm1(x + layer.dropout1(attended))

    def cross_attention(self, x: Tensor, memory: Tensor) -> Tensor:
        """Run the second half of the layer, and return the updated tokens (B, P, C).

        Args:
            x: Output of `self_attention`, (B, P, C).
            memory: Tokens (B, M, C) that x attends to. Attention to a single token equals the value
                of that token for every query, so for M = 1 only the value is computed, except in
                training, where dropout acts on the attention weights.
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
        """Return the output of the attention to a single token (B, 1, C)."""
        attention = self.layer.multihead_attn
        channels = memory.shape[-1]
        weight, bias = attention.in_proj_weight[2 * channels :], attention.in_proj_bias
        value = nn.functional.linear(memory, weight, bias[2 * channels :])
        return attention.out_proj(value)
