"""Prompt encoder of SAM, built on the class of transformers, with tokens of a language model."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers.models.sam.configuration_sam import (
    SamConfig,
    SamPromptEncoderConfig,
    SamVisionConfig,
)
from transformers.models.sam.modeling_sam import SamPromptEncoder

from vgtoolbox.registry import MODELS


@dataclass(frozen=True)
class SAMPrompts:
    """Encoded prompts of N masks.

    Attributes:
        sparse: Tokens (N, S, C) of points and text; S may be 0.
        dense: Map (N, C, h, w) that is added to the feature map of the image.
        lengths: Number of tokens (N,) at the end of each row of `sparse` that are prompts; the
            others are padding. If `None`, all are prompts.
    """

    sparse: Tensor
    dense: Tensor
    lengths: Tensor | None = None


@MODELS.register_module()
class SAMPromptEncoder(nn.Module):
    """Encoder of points, masks and text tokens as prompts of the mask decoder.

    The random frequencies of the position encoding are a buffer, as in the original, so that they
    keep their values when the encoder is trained.

    Args:
        image_size: Side of the square frame in pixels that points are given in.
        patch_size: Side in pixels of a cell of the feature map.
        channels: Channels C of the prompts.
        mask_channels: Hidden channels of the convolutions on mask prompts.
    """

    def __init__(
        self,
        *,
        image_size: int = 1024,
        patch_size: int = 16,
        channels: int = 256,
        mask_channels: int = 16,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.grid_size = image_size // patch_size
        # The vision config is only read for the position encoding: `scale` is half the hidden size.
        frequencies = SamVisionConfig(hidden_size=2, num_pos_feats=channels // 2)
        prompts = SamPromptEncoderConfig(
            image_size=image_size,
            patch_size=patch_size,
            hidden_size=channels,
            mask_input_channels=mask_channels,
        )
        self.encoder = SamPromptEncoder(
            SamConfig(vision_config=frequencies, prompt_encoder_config=prompts)
        )
        position = self.encoder.shared_embedding
        values = position.positional_embedding.detach().clone()
        del position.positional_embedding
        position.register_buffer("positional_embedding", values)

    @property
    def mask_size(self) -> int:
        """Side of a mask prompt in pixels."""
        return 4 * self.grid_size

    def forward(
        self,
        text: Tensor,
        *,
        points: Tensor | None = None,
        point_labels: Tensor | None = None,
        masks: Tensor | None = None,
    ) -> SAMPrompts:
        """Encode the prompts of N masks.

        Args:
            text: Tokens (N, T, C) of a language model; they are appended to those of the points.
            points: Points (N, P, 2), xy in pixels of the square frame. If `None`, there are none.
            point_labels: Labels (N, P): 1 for foreground, 0 for background, -1 for a point that
                prompts nothing. Needed with `points`.
            masks: Mask prompts (N, 1, `mask_size`, `mask_size`). If `None`, a learned embedding
                that represents no mask is used.
        """
        count, size = len(text), self.grid_size
        dtype = self.encoder.no_mask_embed.weight.dtype
        sparse = text.to(dtype)
        if points is not None:
            # transformers puts the prompts of one image into a dimension of their own.
            assert point_labels is not None
            found, _ = self.encoder(points[:, None], point_labels[:, None], None, None)
            sparse = torch.cat([found[:, 0], sparse], dim=1)
        if masks is not None:
            dense = self.encoder.mask_embed(masks.to(dtype))
        else:
            dense = self.encoder.no_mask_embed.weight.reshape(1, -1, 1, 1)
        return SAMPrompts(sparse, dense.expand(count, -1, size, size))

    def image_positions(self) -> Tensor:
        """Return the position encoding of the cells of the feature map, (1, C, h, w)."""
        embedding = self.encoder.shared_embedding
        centers = (torch.arange(self.grid_size) + 0.5) / self.grid_size
        y, x = torch.meshgrid(centers, centers, indexing="ij")
        grid = torch.stack([x, y], dim=-1).to(embedding.positional_embedding)
        return embedding(grid).permute(2, 0, 1)[None]
