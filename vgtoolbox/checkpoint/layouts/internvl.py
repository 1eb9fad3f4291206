"""Key layout of OpenGVLab's InternVL 2 and 2.5, which MLLMSeg checkpoints contain.

Apart from the names, three things differ from the classes of transformers: the vision tower fuses
q, k and v by thirds; InternLM2 fuses them by groups of heads; and LoRA, if it is not merged, wraps
the language model and adapts the fused matrix. Every tensor is converted independently, so that a
checkpoint can be read shard by shard.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts.base import StateDict, StreamingLayout
from vgtoolbox.checkpoint.prefixes import ADAPTER_PREFIX
from vgtoolbox.checkpoint.rename import RenameTable

NAME = "OpenGVLab's InternVL"
PREFIX = ADAPTER_PREFIX + "model."
_PUBLISHED_HEAD_DIM, _PUBLISHED_WIDTHS = 128, (2048, 4096)  # sizes of the published InternLM2

_VIT, _OURS = "vision_model.encoder.layers.{i}.", "model.vision_tower.encoder.layer.{i}."
_LLM, _TEXT = "language_model.model.layers.{i}.", "model.language_model.layers.{i}."
_EMBED, _OURS_EMBED = "vision_model.embeddings.", "model.vision_tower.embeddings."
_PROJECTOR = "model.multi_modal_projector."

VISION_ROWS = [
    (_EMBED + "class_embedding", _OURS_EMBED + "cls_token"),
    (_EMBED + "position_embedding", _OURS_EMBED + "position_embeddings"),
    (_EMBED + "patch_embedding.{rest}", _OURS_EMBED + "patch_embeddings.projection.{rest}"),
    (_VIT + "ls1", _OURS + "lambda_1"),
    (_VIT + "ls2", _OURS + "lambda_2"),
    (_VIT + "norm1.{rest}", _OURS + "layernorm_before.{rest}"),
    (_VIT + "norm2.{rest}", _OURS + "layernorm_after.{rest}"),
    (_VIT + "attn.proj.{rest}", _OURS + "attention.projection_layer.{rest}"),
    (_VIT + "attn.qkv.{rest}", _OURS + "attention.qkv.{rest}"),
    (_VIT + "attn.q_norm.{rest}", _OURS + "attention.q_norm.{rest}"),
    (_VIT + "attn.k_norm.{rest}", _OURS + "attention.k_norm.{rest}"),
    (_VIT + "mlp.{rest}", _OURS + "mlp.{rest}"),
    ("mlp1.0.{rest}", _PROJECTOR + "layer_norm.{rest}"),
    ("mlp1.1.{rest}", _PROJECTOR + "linear_1.{rest}"),
    ("mlp1.3.{rest}", _PROJECTOR + "linear_2.{rest}"),
]
INTERNLM2_ROWS = [
    ("language_model.model.tok_embeddings.{rest}", "model.language_model.embed_tokens.{rest}"),
    ("language_model.model.norm.{rest}", "model.language_model.norm.{rest}"),
    ("language_model.output.{rest}", "lm_head.{rest}"),
    (_LLM + "attention.wqkv.{rest}", _TEXT + "self_attn.qkv_proj.{rest}"),
    (_LLM + "attention.wo.{rest}", _TEXT + "self_attn.o_proj.{rest}"),
    (_LLM + "feed_forward.w1.{rest}", _TEXT + "mlp.gate_proj.{rest}"),
    (_LLM + "feed_forward.w3.{rest}", _TEXT + "mlp.up_proj.{rest}"),
    (_LLM + "feed_forward.w2.{rest}", _TEXT + "mlp.down_proj.{rest}"),
    (_LLM + "attention_norm.{rest}", _TEXT + "input_layernorm.{rest}"),
    (_LLM + "ffn_norm.{rest}", _TEXT + "post_attention_layernorm.{rest}"),
]
QWEN2_ROWS = [
    ("language_model.model.{rest}", "model.language_model.{rest}"),
    ("language_model.lm_head.{rest}", "lm_head.{rest}"),
]
_WRAPPED = "language_model.base_model.model."
_TO_OURS = RenameTable([*VISION_ROWS, *INTERNLM2_ROWS, *QWEN2_ROWS], name=NAME)
_TO_PUBLISHED = {
    "internlm2": RenameTable([*VISION_ROWS, *INTERNLM2_ROWS], name=NAME),
    "qwen2": RenameTable([*VISION_ROWS, *QWEN2_ROWS], name=NAME),
}
_SPLIT = re.compile(r"(.*\.)(q|k|v)_proj\.(.*)")


def has_internvl(keys: Collection[str]) -> bool:
    """Return whether the keys include those of an InternVL."""
    return {"vision_model.embeddings.class_embedding", "mlp1.0.weight"} <= set(keys)


def convert_tensor(key: str, value: Tensor, *, head_dim: int, group: int) -> StateDict | None:
    """Convert one published tensor to one of ours, or to the three that it fuses.

    Args:
        key: Published key.
        value: Published tensor.
        head_dim: Number of channels of an attention head of the language model.
        group: Number of query heads per head of keys and values.

    Returns:
        Our tensors by their names, or `None` if the key does not belong to InternVL.
    """
    name = _TO_OURS.to_ours(key.replace(_WRAPPED, "language_model.", 1))
    if name is None:
        return None
    name = PREFIX + name
    if ".attention.qkv." in name:
        parts = value.chunk(3)
        names = [name.replace(".qkv.", f".{each}_proj.") for each in "qkv"]
        return dict(zip(names, parts, strict=True))
    if ".self_attn.qkv_proj." in name:
        names = [name.replace(".qkv_proj.", f".{each}_proj.") for each in "qkv"]
        if ".lora_A." in name:  # the three share their input projection
            return {each: value.clone() for each in names}
        return dict(zip(names, split_heads(value, head_dim, group), strict=True))
    return {name: value}


def split_heads(fused: Tensor, head_dim: int, group: int) -> tuple[Tensor, ...]:
    """Split rows of InternLM2 to q, k, v; each key-value head has `group` queries, a key, a value.

    Args:
        fused: Weight or bias whose first dimension has heads * (group + 2) * head_dim rows.
        head_dim: Number of channels of an attention head.
        group: Number of query heads per head of keys and values.
    """
    rows = fused.unflatten(0, (-1, group + 2, head_dim))
    parts = (rows[:, :group], rows[:, group], rows[:, group + 1])
    return tuple(part.reshape(-1, *fused.shape[1:]) for part in parts)


def fuse_heads(parts: Sequence[Tensor], head_dim: int) -> Tensor:
    """Undo `split_heads`."""
    query, key, value = parts
    group = len(query) // len(key)
    rows = [
        query.unflatten(0, (-1, group, head_dim)),
        key.unflatten(0, (-1, 1, head_dim)),
        value.unflatten(0, (-1, 1, head_dim)),
    ]
    return torch.cat(rows, 1).flatten(0, 2)


def head_shape(model: nn.Module | None) -> tuple[int, int]:
    """Return `head_dim` and `group` of the language model inside `model`.

    Raises:
        ValueError: `model` is `None` or contains no language model.
    """
    for module in model.modules() if model is not None else ():
        config: Any = getattr(getattr(module, "config", None), "text_config", None)
        if config is not None:
            heads = config.num_attention_heads
            return config.hidden_size // heads, heads // config.num_key_value_heads
    raise ValueError(
        "a checkpoint of InternVL must be converted for a model with a language model, got none; "
        "its shapes do not show how the attention heads are fused"
    )


def _head_dim(ours: StateDict, model: nn.Module | None) -> int:
    """Return the width of the heads of InternLM2, which the shapes do not show."""
    if model is not None:
        return head_shape(model)[0]
    width = len(ours["model.language_model.norm.weight"])
    if width not in _PUBLISHED_WIDTHS:
        raise ValueError(
            f"an InternLM2 without its config must have the width of a published one "
            f"({' or '.join(map(str, _PUBLISHED_WIDTHS))}), got {width}; name the config "
            "(tools/convert_checkpoint.py --config)"
        )
    return _PUBLISHED_HEAD_DIM


def _fused(ours: StateDict, head_dim: int, *, fuse_text: bool) -> StateDict:
    """Join q, k and v if the published layout has one tensor for the three."""
    fused: StateDict = {}
    for key, value in ours.items():
        match = _SPLIT.fullmatch(key)
        in_vision = match is not None and match[1].endswith(".attention.")
        if match is None or not (in_vision or fuse_text):
            fused[key] = value
        elif match[2] == "q":
            three = [ours[f"{match[1]}{each}_proj.{match[3]}"] for each in "qkv"]
            name = f"{match[1]}{'qkv' if in_vision else 'qkv_proj'}.{match[3]}"
            fused[name] = _join(three, name, head_dim, in_vision=in_vision)
    return fused


def _join(three: list[Tensor], name: str, head_dim: int, *, in_vision: bool) -> Tensor:
    if in_vision:
        return torch.cat(three)
    if ".lora_A." not in name:
        return fuse_heads(three, head_dim)
    if not (torch.equal(three[0], three[1]) and torch.equal(three[0], three[2])):
        raise ValueError(
            f"{name}: LoRA of q, k and v must have one shared input projection, got different "
            "ones; merge LoRA first (tools/merge_lora.py)"
        )
    return three[0]


class InternVLLayout(StreamingLayout):
    """Layout of OpenGVLab's InternVL 2 and 2.5, in our names below `mllm.adapter.model.`."""

    name: ClassVar[str] = NAME

    def matches(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of an InternVL checkpoint without other weights."""
        return has_internvl(keys) and all(
            key.startswith(("vision_model.", "language_model.", "mlp1.")) for key in keys
        )

    def convert(self, key: str, value: Tensor, model: nn.Module | None) -> StateDict:
        """Convert one published tensor to one of ours, or to the three that it fuses."""
        head_dim, group = head_shape(model)
        ours = convert_tensor(key, value, head_dim=head_dim, group=group)
        if ours is None:
            raise ValueError(f"{key} is not a key of {self.name}")
        return ours

    def to_ours(self, state: StateDict, model: nn.Module | None = None) -> StateDict:
        """Rename and split the published entries.

        Args:
            state: State dict with published keys.
            model: Model that the state dict is meant for; it determines the shape of the heads.

        Raises:
            ValueError: A key is unknown, or `model` is `None` or has no language model.
        """
        head_shape(model)
        ours: StateDict = {}
        for key, value in state.items():
            ours |= self.convert(key, value, model)
        return ours

    def to_published(
        self, state: Mapping[str, Tensor], model: nn.Module | None = None
    ) -> StateDict:
        """Rename and fuse our entries below `mllm.adapter.model.`; others are dropped.

        A language model with biases on q, k, v is Qwen2, one without is InternLM2.

        Args:
            state: State dict of a model on InternVL.
            model: Model that the state dict belongs to. If `None`, the language model must be Qwen2
                or have the width of a published InternLM2.

        Raises:
            ValueError: LoRA of q, k and v differs although the published layout has one LoRA for
                the three, or the model is needed.
        """
        ours = {key[len(PREFIX) :]: value for key, value in state.items() if key.startswith(PREFIX)}
        is_qwen = any(re.search(r"language_model.*self_attn\.q_proj\..*bias", key) for key in ours)
        head_dim = 0 if is_qwen else _head_dim(ours, model)
        table = _TO_PUBLISHED["qwen2" if is_qwen else "internlm2"]
        is_wrapped = any(".lora_A." in key for key in ours)
        published: StateDict = {}
        for key, value in _fused(ours, head_dim, fuse_text=not is_qwen).items():
            name = table.published_name(key)
            if is_wrapped and name.startswith("language_model."):
                name = name.replace("language_model.", _WRAPPED, 1)
            published[name] = value
        return published


LAYOUT = InternVLLayout()
