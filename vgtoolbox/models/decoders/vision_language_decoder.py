"""Transformer decoder in which image tokens attend to each other and to words."""

from __future__ import annotations

from torch import Tensor, nn

from vgtoolbox.registry import MODELS


@MODELS.register_module()
class VisionLanguageDecoder(nn.Module):
    """Post-norm transformer decoder layers whose queries are image tokens, without positions.

    Args:
        channels: Channels C.
        num_layers: Number of layers. With 0, only the final norm is applied.
        num_heads: Number of attention heads.
        ffn_channels: Hidden channels of the feed-forward networks.
        dropout: Dropout rate of states and attention weights.
    """

    def __init__(
        self,
        *,
        channels: int = 512,
        num_layers: int = 3,
        num_heads: int = 8,
        ffn_channels: int = 1024,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(
                channels, num_heads, ffn_channels, dropout=dropout, batch_first=True
            )
            for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(channels)
        for parameter in self.layers.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, image: Tensor, text: Tensor, text_padding_mask: Tensor) -> Tensor:
        """Return the updated image tokens (B, S, C).

        Args:
            image: Image tokens (B, S, C).
            text: Word features (B, T, C).
            text_padding_mask: Padding mask (B, T) bool, True = padding.
        """
        for layer in self.layers:
            image = layer(image, text, memory_key_padding_mask=text_padding_mask)
        return self.norm(image)
