"""Image encoder of SAM (Kirillov et al., ICCV 2023), built on the class of transformers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from transformers.models.sam.configuration_sam import SamVisionConfig
from transformers.models.sam.modeling_sam import SamVisionEncoder

from vgtoolbox.registry import MODELS


@MODELS.register_module()
class SAMImageEncoder(nn.Module):
    """ViTDet with a neck of two convolutions; the defaults are those of SAM ViT-H.

    Args:
        image_size: Side of the square input in pixels.
        patch_size: Side of a patch in pixels.
        embed_dim: Channels of the transformer.
        depth: Number of blocks.
        num_heads: Number of attention heads.
        global_blocks: Indices of the blocks that attend over the whole grid.
        window_size: Side of a window in patches in the other blocks.
        out_channels: Channels C of the result.
        init_std: Standard deviation of the initial weights of a model without pretraining.
    """

    def __init__(
        self,
        *,
        image_size: int = 1024,
        patch_size: int = 16,
        embed_dim: int = 1280,
        depth: int = 32,
        num_heads: int = 16,
        global_blocks: Sequence[int] = (7, 15, 23, 31),
        window_size: int = 14,
        out_channels: int = 256,
        init_std: float = 0.02,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.grid_size = image_size // patch_size
        self.out_channels = out_channels
        config = SamVisionConfig(
            image_size=image_size,
            patch_size=patch_size,
            hidden_size=embed_dim,
            num_hidden_layers=depth,
            num_attention_heads=num_heads,
            global_attn_indexes=list(global_blocks),
            window_size=window_size,
            output_channels=out_channels,
            initializer_range=init_std,
        )
        self.encoder = SamVisionEncoder(config)

    def forward(self, images: Tensor) -> Tensor:
        """Encode normalized images.

        Args:
            images: Images (I, 3, S, S), padded at the bottom and right to the `image_size` S.

        Returns:
            Feature map (I, C, S / patch_size, S / patch_size).
        """
        dtype = self.encoder.patch_embed.projection.weight.dtype
        return self.encoder(images.to(dtype)).last_hidden_state
