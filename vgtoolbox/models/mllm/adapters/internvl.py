"""InternVL 2, 2.5 and 3 by transformers' own classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForImageTextToText, InternVLConfig

from vgtoolbox.models.layers.initialization import (
    init_cosine_patches,
    init_local_attention,
    init_sine_positions,
)
from vgtoolbox.models.mllm.adapters.base import ImageFeatures, MultimodalAdapter, torch_dtype
from vgtoolbox.registry import MODELS

# InternLM2 is Llama with its projections fused (`checkpoint.layouts.internvl` splits them).
_TEXT_FAMILIES = {"internlm2": "llama", "llama": "llama", "qwen2": "qwen2"}
_TEXT_KEYS = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
    "rms_norm_eps",
    "initializer_range",
    "hidden_act",
)
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

    Args:
        text_config: `llm_config` of a published `config.json`; InternLM2 or Qwen2. Its vocabulary
            includes the tokens that are added.
        vision_config: `vision_config` of it.
        dtype: Of the weights: "float32", "bfloat16", "float16".
        attention: "sdpa", "eager" or another of transformers' implementations. Shared prefixes need
            one that takes a mask.
        embed_init_std: Of the token table, for training from random weights: words that are faint
            beside what the first block adds are hard to tell apart. None leaves the table.
        sine_position_scale: Likewise, of sines in the vision tower's position table, which is 0
            otherwise: a model without pretraining then knows which patches are neighbours.
        cosine_patch_scale: Likewise, of cosine filters in its patch embedding: edges are then seen
            as clearly as colours.
        local_attention: Likewise, the strength of `init_local_attention` in the first half of the
            language model's layers; what else the layers add is 0 at first, and so are the logits
            of all tokens. Words then add up in the state behind them. Needs biases of queries and
            keys, as Qwen2 has them.
    """

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
            config, attn_implementation=attention, dtype=torch_dtype(dtype)
        )
        embeddings = self.model.model.vision_tower.embeddings
        if embed_init_std is not None:
            torch.nn.init.normal_(self.model.get_input_embeddings().weight, std=embed_init_std)
        if sine_position_scale is not None:
            grid = embeddings.patch_embeddings.patch_shape
            init_sine_positions(embeddings.position_embeddings[0, 1:], grid, sine_position_scale)
        if cosine_patch_scale is not None:
            weight = embeddings.patch_embeddings.projection.weight
            init_cosine_patches(weight, cosine_patch_scale)
        if local_attention is not None:
            self._begin_local(local_attention)

    @property
    def language_model(self) -> Any:
        """The decoder stack."""
        return self.model.model.language_model

    @property
    def hidden_size(self) -> int:
        """H."""
        return self.model.config.text_config.hidden_size

    @property
    def num_image_tokens(self) -> int:
        """One for each 2 x 2 patches."""
        return self.model.config.image_seq_length

    def encode_images(self, images: Tensor) -> ImageFeatures:
        """Encode normalised images (I, 3, H, W), of any size that the patch grid divides."""
        patch = self.model.config.vision_config.patch_size
        grid = (images.shape[2] // patch[0], images.shape[3] // patch[1])
        output = self.model.get_image_features(
            images,
            vision_feature_layer=-1,
            vision_feature_select_strategy="default",
            return_dict=True,
        )
        # Without a norm behind the tower, its last state is the projector's input.
        patches = output.last_hidden_state[:, 1:].float()
        return ImageFeatures(patches, grid, output.pooler_output)

    def _begin_local(self, strength: float) -> None:
        """Let words add up in the state behind them, and nothing else be added yet."""
        layers = self.language_model.layers
        for i, layer in enumerate(layers):
            attention = layer.self_attn
            if i < len(layers) // 2:
                init_local_attention(
                    attention.q_proj,
                    attention.k_proj,
                    attention.v_proj,
                    attention.o_proj,
                    head_dim=attention.head_dim,
                    strength=strength,
                )
            else:
                torch.nn.init.zeros_(attention.o_proj.weight)
            torch.nn.init.zeros_(layer.mlp.down_proj.weight)
        torch.nn.init.zeros_(self.model.get_output_embeddings().weight)


def native_config(text: Mapping[str, Any], vision: Mapping[str, Any]) -> InternVLConfig:
    """Turn the two parts of a published `config.json` into transformers' own configuration.

    Three defaults of the native class are not what the published weights need: no bias in the
    vision tower's attention, a norm behind it, and tied embeddings.
    """
    vision_config = {ours: vision[key] for key, ours in _VISION_KEYS.items() if key in vision}
    vision_config["use_mean_pooling"] = True  # no norm behind the last block
    patch, size = vision["patch_size"], vision["image_size"]
    return InternVLConfig(
        text_config=_text_config(text),
        vision_config=vision_config,
        image_seq_length=(size // patch // 2) ** 2,
        downsample_ratio=0.5,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        tie_word_embeddings=False,
    )


def _text_config(published: Mapping[str, Any]) -> dict[str, Any]:
    family = _TEXT_FAMILIES.get(published["model_type"])
    if family is None:
        raise ValueError(
            f"model_type of the language model is {published['model_type']!r}; expected one of "
            f"{', '.join(_TEXT_FAMILIES)}"
        )
    config = {key: published[key] for key in _TEXT_KEYS if key in published}
    config |= {"model_type": family, "tie_word_embeddings": False, "use_cache": True}
    config["rope_parameters"] = _rope(published)
    if published["model_type"] == "internlm2" and published.get("bias", False):
        config["attention_bias"] = True
    return config


def _rope(published: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rotary parameters; dynamic scaling only acts beyond the trained length."""
    rope: dict[str, Any] = {
        "rope_type": "default",
        "rope_theta": float(published.get("rope_theta", 10000.0)),
    }
    scaling = published.get("rope_scaling")
    if scaling:
        kind = scaling.get("type", scaling.get("rope_type"))
        if kind not in ("dynamic", "linear"):
            raise ValueError(f"rope_scaling of type {kind!r}; expected dynamic or linear")
        rope |= {"rope_type": kind, "factor": float(scaling["factor"])}
    return rope
