"""Image tokens that look at one another and at the words."""

from __future__ import annotations

from torch import Tensor, nn

from vgtoolbox.registry import MODELS


@MODELS.register_module()
class VisionLanguageDecoder(nn.Module):
    """Transformer decoder layers (post-norm) whose queries are the image tokens; no positions.

    Args:
        channels: C.
        num_layers: Number of layers; 0 leaves only the norm at the end.
        num_heads: Attention heads.
        ffn_channels: Hidden width of the feed-forward networks.
        dropout: Of states and attention weights.
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
        """Update image tokens (B, S, C) by words (B, T, C); padding (B, T) bool, True = padding."""
        for layer in self.layers:
            image = layer(image, text, memory_key_padding_mask=text_padding_mask)
        return self.norm(image)
