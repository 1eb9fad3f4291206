"""Mask decoder of SAM, built on the class of transformers."""

from __future__ import annotations

from torch import Tensor, nn
from transformers.models.sam.configuration_sam import SamMaskDecoderConfig
from transformers.models.sam.modeling_sam import SamMaskDecoder

from vgtoolbox.registry import MODELS


@MODELS.register_module()
class SAMMaskDecoder(nn.Module):
    """Two-way transformer between prompts and a feature map, with one mask per set of prompts.

    Args:
        channels: Channels C of prompts and feature map.
        depth: Number of two-way blocks.
        num_heads: Number of attention heads.
        ffn_channels: Hidden channels of the feed-forward networks.
    """

    def __init__(
        self,
        *,
        channels: int = 256,
        depth: int = 2,
        num_heads: int = 8,
        ffn_channels: int = 2048,
    ) -> None:
        super().__init__()
        config = SamMaskDecoderConfig(
            hidden_size=channels,
            num_hidden_layers=depth,
            num_attention_heads=num_heads,
            mlp_dim=ffn_channels,
            # The two-way blocks of the original have PyTorch's value; the default here is 1e-6.
            layer_norm_eps=1e-5,
        )
        # Built outside a model of transformers, the class does not choose an implementation itself.
        config._attn_implementation = "sdpa"
        self.decoder = SamMaskDecoder(config)

    def forward(
        self, features: Tensor, positions: Tensor, sparse: Tensor, dense: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Decode N masks, which may belong to different images.

        Args:
            features: Feature map (N, C, h, w) of the image of each mask.
            positions: Position encoding (1, C, h, w) of the feature map.
            sparse: Prompt tokens (N, S, C).
            dense: Dense prompts (N, C, h, w).

        Returns:
            Mask logits (N, 4 * h, 4 * w) and estimated IoU (N,) of the masks.
        """
        masks, iou = self.decoder(
            image_embeddings=features.to(sparse.dtype),
            image_positional_embeddings=positions.expand(len(features), -1, -1, -1),
            sparse_prompt_embeddings=sparse[:, None],
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )
        return masks[:, 0, 0], iou[:, 0, 0]
