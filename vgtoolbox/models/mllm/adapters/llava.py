"""Adapter for LLaVA 1, 1.5 and 1.6 at one image size, built on the classes of transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModelForImageTextToText, CLIPVisionConfig, LlavaConfig

from vgtoolbox.checkpoint.layouts import StreamingLayout, llava
from vgtoolbox.models.layers.initialization import init_cosine_patches, init_sine_positions
from vgtoolbox.models.mllm.adapters.base import (
    ImageFeatures,
    MultimodalAdapter,
    attention_name,
    torch_dtype,
)
from vgtoolbox.models.mllm.adapters.text_config import native_text_config
from vgtoolbox.registry import MODELS
from vgtoolbox.utils.choices import check_choice

Projector = Literal["linear", "mlp2x_gelu"]


@MODELS.register_module()
class LLaVA(MultimodalAdapter):
    """CLIP's vision tower, a projector of one or two layers, and a Llama language model.

    The last four arguments initialize a model for training from random weights; `None` leaves the
    initialization of transformers.

    Args:
        text_config: `config.json` of a published LLaVA. Its vocabulary size includes the added
            tokens.
        vision_config: `vision_config` of the `config.json` of the CLIP that it names.
        projector: Form of the projector, `mm_projector_type` of the published config: "linear" in
            LLaVA 1, "mlp2x_gelu" since 1.5.
        feature_layer: Layer of the vision tower whose states are projected, as an index of its
            hidden states; the published value is -2.
        keep_class_token: Whether the class token of the vision tower is the first image token.
        dtype: Dtype of the weights: "float32", "bfloat16" or "float16".
        attention: Attention implementation of transformers, e.g. "sdpa" or "eager". Shared prefixes
            and padded images need one that accepts a mask.
        embed_init_std: Standard deviation of the token table.
        sine_position_scale: Scale of sines in the position table of the vision tower.
        cosine_patch_scale: Scale of cosine filters in the patch embedding.
        local_attention: Strength of `init_local_attention`, see `InternVL`; it needs a Qwen2.
    """

    layouts: ClassVar[tuple[StreamingLayout, ...]] = (llava.LAYOUT, llava.CLIP_LAYOUT)
    image_token: ClassVar[str] = "<image>"
    image_text: ClassVar[str] = "{image}"
    chat_template: ClassVar[str] = "llava_v1"
    lora_prefix: ClassVar[str] = r".*language_model\."

    def __init__(
        self,
        *,
        text_config: Mapping[str, Any],
        vision_config: Mapping[str, Any],
        projector: Projector = "mlp2x_gelu",
        feature_layer: int = -2,
        keep_class_token: bool = False,
        dtype: str = "float32",
        attention: str = "sdpa",
        embed_init_std: float | None = None,
        sine_position_scale: float | None = None,
        cosine_patch_scale: float | None = None,
        local_attention: float | None = None,
    ) -> None:
        super().__init__()
        check_choice("projector", projector, get_args(Projector))
        self.feature_layer = feature_layer
        self.keep_class_token = keep_class_token
        vision = CLIPVisionConfig(**vision_config)
        config = LlavaConfig(
            text_config=native_text_config(text_config),
            vision_config=vision,
            vision_feature_layer=feature_layer,
            tie_word_embeddings=False,
        )
        self.model = AutoModelForImageTextToText.from_config(
            config, attn_implementation=attention_name(attention), dtype=torch_dtype(dtype)
        )
        if projector == "linear":
            channels, width = vision.hidden_size, self.hidden_size
            self.model.model.multi_modal_projector = nn.Linear(
                channels, width, dtype=torch_dtype(dtype)
            )
        # Older releases of transformers wrap the tower once more; without the wrapper, the names
        # of the weights do not depend on the release.
        tower = self.model.model.vision_tower
        self.model.model.vision_tower = getattr(tower, "vision_model", tower)
        embeddings = self.vision_tower.embeddings
        if sine_position_scale is not None:
            grid = (self.grid_size, self.grid_size)
            init_sine_positions(embeddings.position_embedding.weight[1:], grid, sine_position_scale)
        if cosine_patch_scale is not None:
            init_cosine_patches(embeddings.patch_embedding.weight, cosine_patch_scale)
        self.init_language_model(embed_init_std, local_attention)

    @property
    def vision_tower(self) -> Any:
        """Vision tower of CLIP."""
        return self.model.model.vision_tower

    @property
    def grid_size(self) -> int:
        """Side of the grid of patches."""
        config = self.model.config.vision_config
        return config.image_size // config.patch_size

    @property
    def language_model(self) -> Any:
        """Decoder stack."""
        return self.model.model.language_model

    @property
    def hidden_size(self) -> int:
        """Number of channels H of the hidden states."""
        return self.model.config.text_config.hidden_size

    @property
    def num_image_tokens(self) -> int:
        """Number of tokens K of one image, one for each patch and maybe the class token."""
        return self.grid_size**2 + int(self.keep_class_token)

    @property
    def unused_modules(self) -> Sequence[nn.Module]:
        """Norm of the class token, and the blocks of the vision tower after the feature layer."""
        blocks = self.vision_tower.encoder.layers[self._num_used_layers :]
        return [self.vision_tower.post_layernorm, *blocks]

    @property
    def _num_used_layers(self) -> int:
        """Number of blocks up to the feature layer; the first hidden state precedes all blocks."""
        return self.feature_layer % (len(self.vision_tower.encoder.layers) + 1)

    def encode_images(self, images: Tensor, valid: Tensor | None = None) -> ImageFeatures:
        """Encode normalized images.

        Patches of padding are excluded from the attention of the vision tower, and `valid` of the
        result excludes them from that of the language model. A patch counts as an image's if its
        upper left pixel does, as in the code of UGround.

        Args:
            images: Images (I, 3, S, S), of the image size S of the vision tower.
            valid: Mask (I, S, S) bool, False for pixels of padding. If `None`, no pixel is padding.
        """
        grid = (self.grid_size, self.grid_size)
        keys, mask = None, None
        if valid is not None:
            patches = F.interpolate(valid[:, None].float(), grid, mode="nearest").flatten(1) > 0
            with_class = F.pad(patches, (1, 0), value=True)  # (I, 1 + h * w)
            keys = with_class if self.keep_class_token else patches
            dtype = self.vision_tower.embeddings.patch_embedding.weight.dtype
            lowest = torch.finfo(dtype).min
            mask = torch.zeros_like(with_class, dtype=dtype).masked_fill(~with_class, lowest)
            mask = mask[:, None, None].expand(-1, 1, mask.shape[1], -1)
        states = self._vision_states(images, mask)
        tokens = states if self.keep_class_token else states[:, 1:]
        projected = self.model.model.multi_modal_projector(tokens)
        return ImageFeatures(states[:, 1:].float(), grid, projected, keys)

    def _vision_states(self, images: Tensor, mask: Tensor | None) -> Tensor:
        """Return the states (I, 1 + h * w, C) of the feature layer; later layers are not run."""
        tower = self.vision_tower
        states = tower.pre_layrnorm(tower.embeddings(images))
        for layer in tower.encoder.layers[: self._num_used_layers]:
            output = layer(states, attention_mask=mask)
            states = output[0] if isinstance(output, tuple) else output
        return states
