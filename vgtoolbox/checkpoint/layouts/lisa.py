"""Key layout of LISA and its descendants: a LLaVA, SAM, and what connects them.

Merged folders have no CLIP, which is loaded from a folder of its own. LISA, SESAME, READ and GSVA
have the same keys; UGround has its policy in addition.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import ClassVar

from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts import llava, sam
from vgtoolbox.checkpoint.layouts.base import StateDict, StreamingLayout
from vgtoolbox.checkpoint.lora import fit_lora
from vgtoolbox.checkpoint.rename import RenameTable

NAME = "the published LISA family"

_SAM = "model.visual_model."
_ROWS = [
    ("model.text_hidden_fcs.0.{i}.{rest}", "query_proj.{i}.{rest}"),
    ("ppm._layer_gate_W_similarity", "policy.weight"),
    ("ppm.critic.{i}.{rest}", "policy_loss.critic.{i}.{rest}"),
    *((_SAM + published, ours) for published, ours in sam.SAM_ROWS),
]
TABLE = RenameTable(_ROWS, name=NAME)

_UNUSED = ("model.decoder_modules_initialized", "model.out_mm_projector.")
"""Tensors that the published models store and never read."""

_OURS_ONLY = ("policy.num_samplings", "policy_loss.average")
"""State of our training, which the published models lose when they are resumed."""

_WRAPPED = re.compile(r"^base_model\.model\.")


_VISION_TOWER = llava.PREFIX + "model.vision_tower."


def _load_vision_tower(model: nn.Module) -> None:
    """Let a language model inside `model` load its vision tower."""
    for module in model.modules():
        load = getattr(module, "load_vision_tower", None)
        if load is not None:
            load()


class LISALayout(StreamingLayout):
    """Layout of LISA, READ, UGround and other models on the same base, merged or with LoRA."""

    name: ClassVar[str] = NAME
    lora_scaling: ClassVar[float] = 2.0  # alpha 16, r 8; the 13B models have r 64

    def matches(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a checkpoint of the family."""
        found = {_WRAPPED.sub("", key) for key in keys}
        wanted = {"model.text_hidden_fcs.0.0.weight", _SAM + "mask_decoder.iou_token.weight"}
        return wanted <= found

    def matches_ours(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a grounder of ours on the same base."""
        return {"query_proj.0.weight", "mask_decoder.decoder.iou_token.weight"} <= set(keys)

    def convert(self, key: str, value: Tensor, model: nn.Module | None) -> StateDict:
        """Rename one published tensor; tensors that are never read are dropped."""
        key = _WRAPPED.sub("", key)
        if key.startswith(_UNUSED) or llava.is_computed(key):
            return {}
        name = llava.TABLE.to_ours(key)
        if name is not None:
            return {llava.PREFIX + name: value}
        return {TABLE.our_name(key): value}

    def to_ours(self, state: StateDict, model: nn.Module | None = None) -> StateDict:
        """Rename the published entries; LoRA is merged if `model` has none.

        Args:
            state: State dict with published keys.
            model: Grounder that the state dict is meant for. It provides the state of our training
                that the published models do not have, and loads the vision tower if the state dict
                lacks it.

        Raises:
            ValueError: A key is unknown, or the vision tower is nowhere.
        """
        ours: StateDict = {}
        for key, value in state.items():
            ours |= self.convert(key, value, model)
        if model is None:
            return ours
        if not any(key.startswith(_VISION_TOWER) for key in ours):
            _load_vision_tower(model)
        own = model.state_dict()
        for key, value in own.items():
            if key in _OURS_ONLY or key.startswith(_VISION_TOWER):
                ours.setdefault(key, value)
        return fit_lora(ours, model, scaling=self.lora_scaling)

    def to_published(
        self, state: Mapping[str, Tensor], model: nn.Module | None = None
    ) -> StateDict:
        """Rename the state dict of a grounder of the family in its present form.

        Args:
            state: State dict with our keys.
            model: Grounder that the state dict belongs to; not needed.

        Raises:
            ValueError: A key has no published counterpart.
        """
        published = llava.LAYOUT.to_published(state)
        for key, value in state.items():
            if not key.startswith(llava.PREFIX) and key not in _OURS_ONLY:
                published[TABLE.published_name(key)] = value
        return published


LAYOUT = LISALayout()
