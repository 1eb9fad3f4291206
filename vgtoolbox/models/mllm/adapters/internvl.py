"""Adapter for InternVL 2, 2.5 and 3, built on the classes of transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor
from transformers import AutoModelForImageTextToText, InternVLConfig

from vgtoolbox.checkpoint.layouts import StreamingLayout, internvl
from vgtoolbox.models.layers.initialization import (
    init_cosine_patches,
    init_sine_positions,
)
from vgtoolbox.models.mllm.adapters.base import (
    ImageFeatures,
    MultimodalAdapter,
    attention_name,
    torch_dtype,
)
from vgtoolbox.models.mllm.adapters.text_config import native_text_config
from vgtoolbox.registry import MODELS

_VISION_KEYS = {
    "hidden_size": "hidden_size",
    "intermediate_size": "intermediate_size",
    "num_hidden_layers": "num_hidden_layers",
    "num_attention_heads": "num_attention_heads",
    "image_size": "image_size",
    "patch_size": "patch_size",
    "hidden_act": "hidden_act",
    "norm_type": "norm_type",
    "layer_norm_eps": "layer_norm_eps",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_dropout",
    "qkv_bias": "attention_bias",
    "qk_normalization": "use_qk_norm",
    "initializer_range": "initializer_range",
    "layer_scale_init_value": "layer_scale_init_value",
}


@MODELS.register_module()
class InternVL(MultimodalAdapter):
    """InternViT, a two-layer projector over 2 x 2 patches, and a Llama or Qwen2 language model.

    The last four arguments initialize a model for training from random weights; `None` leaves the
    initialization of transformers.

    Args:
        text_config: `llm_config` of a published `config.json`, InternLM2 or Qwen2. Its vocabulary
            size includes the added tokens.
        vision_config: `vision_config` of the same `config.json`.
        dtype: Dtype of the weights: "float32", "bfloat16" or "float16".
        attention: Attention implementation of transformers, e.g. "sdpa" or "eager". Shared prefixes
            need one that accepts a mask.
        embed_init_std: Standard deviation of the token table. Embeddings that are small compared
            to the output of the first block are hard to distinguish.
        sine_position_scale: Scale of sines in the position table of the vision tower, which is 0
            otherwise. They show a model without pretraining which patches are neighbors.
        cosine_patch_scale: Scale of cosine filters in the patch embedding, which make edges as
            visible as colors.
        local_attention: Strength of `init_local_attention` in the first half of the language
            model's layers. All other residual updates of the layers and the logits of all tokens
            start at 0, so that words add up in the state of the position after them. It needs
            biases of queries and keys, which Qwen2 has.
    """

    layouts: ClassVar[tuple[StreamingLayout, ...]] = (internvl.LAYOUT,)
    image_token: ClassVar[str] = "<IMG_CONTEXT>"
    image_text: ClassVar[str] = "<img>{image}</img>"
    chat_template: ClassVar[str] = "internvl2_5"
    lora_prefix: ClassVar[str] = r".*language_model\."

    def __init__(
        self,
        *,
        text_config: Mapping[str, Any],
        vision_config: Mapping[str, Any],
        dtype: str = "float32",
        attention: str = "sdpa",
        embed_init_std: float | None = None,
        sine_position_scale: float | None = None,
        cosine_patch_scale: float | None = None,
        local_attention: float | None = None,
    ) -> None:
        super().__init__()
        config = native_config(text_config, vision_config)
        self.model = AutoModelForImageTextToText.from_config(
            config, attn_implementation=attention_name(attention), dtype=torch_dtype(dtype)
        )
        embeddings = self.model.model.vision_tower.embeddings
        if sine_position_scale is not None:
            grid = embeddings.patch_embeddings.patch_shape
            init_sine_positions(embeddings.position_embeddings[0, 1:], grid, sine_position_scale)
        if cosine_patch_scale is not None:
            weight = embeddings.patch_embeddings.projection.weight
            init_cosine_patches(weight, cosine_patch_scale)
        self.init_language_model(embed_init_std, local_attention)

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
        """Number of tokens K of one image, one for each 2 x 2 patches."""
        return self.model.config.image_seq_length

    def encode_images(self, images: Tensor, valid: Tensor | None = None) -> ImageFeatures:
        """Encode normalized images (I, 3, H, W), of sides that the patch size divides."""
        if valid is not None:
            raise ValueError(
                "valid must be None for InternVL, which was trained on images without padding, got "
                "a mask; resize the images without keeping their ratio"
            )
        patch = self.model.config.vision_config.patch_size
        grid = (images.shape[2] // patch[0], images.shape[3] // patch[1])
        output = self.model.get_image_features(
            images,
            vision_feature_layer=-1,
            vision_feature_select_strategy="default",
            return_dict=True,
        )
        # There is no norm after the tower, so its last state is the input of the projector.
        patches = output.last_hidden_state[:, 1:].float()
        return ImageFeatures(patches, grid, output.pooler_output)


def native_config(text: Mapping[str, Any], vision: Mapping[str, Any]) -> InternVLConfig:
    """Convert the two parts of a published `config.json` to the configuration of transformers.

    The published weights need other values than three defaults of that class: no bias in the
    attention of the vision tower, a norm after the tower, and tied embeddings.
    """
    vision_config = {ours: vision[key] for key, ours in _VISION_KEYS.items() if key in vision}
    vision_config["use_mean_pooling"] = True  # no norm after the last block
    patch, size = vision["patch_size"], vision["image_size"]
    return InternVLConfig(
        text_config=native_text_config(text),
        vision_config=vision_config,
        image_seq_length=(size // patch // 2) ** 2,
        downsample_ratio=0.5,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
    )
