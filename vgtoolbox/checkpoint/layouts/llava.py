"""Key layouts of liuhaotian's LLaVA 1, 1.5 and 1.6, and of OpenAI's CLIP for its vision tower.

A LLaVA folder has no vision tower; that is loaded from the CLIP folder that its config names.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import ClassVar

from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts.base import StateDict, StreamingLayout
from vgtoolbox.checkpoint.prefixes import ADAPTER_PREFIX
from vgtoolbox.checkpoint.rename import RenameTable

NAME = "liuhaotian's LLaVA"
CLIP_NAME = "OpenAI's CLIP"
PREFIX = ADAPTER_PREFIX + "model."

_PROJECTOR = "model.multi_modal_projector."
_TOWER, _OUR_TOWER = "model.vision_tower.vision_tower.vision_model.", "model.vision_tower."
_CLIP_TOWER = "vision_model."

LANGUAGE_ROWS = [
    ("model.embed_tokens.{rest}", "model.language_model.embed_tokens.{rest}"),
    ("model.layers.{i}.{rest}", "model.language_model.layers.{i}.{rest}"),
    ("model.norm.{rest}", "model.language_model.norm.{rest}"),
    ("lm_head.{rest}", "lm_head.{rest}"),
    ("model.mm_projector.0.{rest}", _PROJECTOR + "linear_1.{rest}"),
    ("model.mm_projector.2.{rest}", _PROJECTOR + "linear_2.{rest}"),
    ("model.mm_projector.{rest}", _PROJECTOR + "{rest}"),
]
TABLE = RenameTable([*LANGUAGE_ROWS, (_TOWER + "{rest}", _OUR_TOWER + "{rest}")], name=NAME)
CLIP_TABLE = RenameTable([(_CLIP_TOWER + "{rest}", _OUR_TOWER + "{rest}")], name=CLIP_NAME)

_COMPUTED = (".rotary_emb.inv_freq", "embeddings.position_ids")
_CLIP_UNUSED = ("text_model.", "text_projection.", "visual_projection.", "logit_scale")


def is_computed(key: str) -> bool:
    """Return whether a key is that of a buffer that is computed from the config."""
    return key.endswith(_COMPUTED)


class LLaVALayout(StreamingLayout):
    """Layout of a LLaVA on Vicuna or Llama 2, in our names below `mllm.adapter.model.`."""

    name: ClassVar[str] = NAME

    def matches(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a LLaVA checkpoint without other weights."""
        found = set(keys)
        return (
            "model.embed_tokens.weight" in found
            and any(key.startswith("model.mm_projector.") for key in found)
            and all(is_computed(key) or TABLE.to_ours(key) is not None for key in found)
        )

    def convert(self, key: str, value: Tensor, model: nn.Module | None) -> StateDict:
        """Rename one published tensor; buffers that are computed are dropped."""
        return {} if is_computed(key) else {PREFIX + TABLE.our_name(key): value}

    def to_ours(self, state: StateDict, model: nn.Module | None = None) -> StateDict:
        """Rename the published entries.

        Args:
            state: State dict with published keys.
            model: Model that the state dict is meant for; not needed.

        Raises:
            ValueError: A key is unknown.
        """
        ours: StateDict = {}
        for key, value in state.items():
            ours |= self.convert(key, value, model)
        return ours

    def to_published(
        self, state: Mapping[str, Tensor], model: nn.Module | None = None
    ) -> StateDict:
        """Rename our entries below `mllm.adapter.model.`; others are dropped.

        Args:
            state: State dict of a model on LLaVA.
            model: Model that the state dict belongs to; not needed.
        """
        return {
            TABLE.published_name(key[len(PREFIX) :]): value
            for key, value in state.items()
            if key.startswith(PREFIX)
        }


class CLIPLayout(StreamingLayout):
    """Layout of a CLIP folder, of which only the vision tower is used."""

    name: ClassVar[str] = CLIP_NAME

    def matches(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a CLIP checkpoint."""
        return _CLIP_TOWER + "embeddings.class_embedding" in keys and not any(
            key.startswith("language_model.") for key in keys
        )

    def convert(self, key: str, value: Tensor, model: nn.Module | None) -> StateDict:
        """Rename one tensor of the vision tower; those of the text tower are dropped."""
        if key.startswith(_CLIP_UNUSED) or is_computed(key):
            return {}
        return {PREFIX + CLIP_TABLE.our_name(key): value}

    def to_ours(self, state: StateDict, model: nn.Module | None = None) -> StateDict:
        """Rename the entries of the vision tower.

        Args:
            state: State dict with published keys.
            model: Model that the state dict is meant for; not needed.

        Raises:
            ValueError: A key is unknown.
        """
        ours: StateDict = {}
        for key, value in state.items():
            ours |= self.convert(key, value, model)
        return ours

    def to_published(
        self, state: Mapping[str, Tensor], model: nn.Module | None = None
    ) -> StateDict:
        """Rename the vision tower of a model on LLaVA.

        Args:
            state: State dict of a model on LLaVA; other entries are dropped.
            model: Model that the state dict belongs to; not needed.
        """
        tower = PREFIX + _OUR_TOWER
        return {
            _CLIP_TOWER + key[len(tower) :]: value
            for key, value in state.items()
            if key.startswith(tower)
        }


LAYOUT = LLaVALayout()
CLIP_LAYOUT = CLIPLayout()
