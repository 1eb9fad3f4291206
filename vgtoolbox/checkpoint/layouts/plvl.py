"""Key layout of the published PLVL checkpoints for REC, RES and both."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts.base import Layout, StateDict
from vgtoolbox.checkpoint.layouts.vitdet import VITDET_ROWS
from vgtoolbox.checkpoint.rename import RenameTable

NAME = "the published PLVL"
_BODY = "visumodel.backbone.0.body."
_INJECTOR = "backbone.blocks.{i}.text_injector."

# Tensors that the published model stores and never reads: BERT's pooler, and an older mask head.
_UNUSED = re.compile(r"textmodel\.bert\.pooler\..*|mask_head\.layers\..*|mask_cnn\..*")
# Every block has a norm of the text, whether it is read or not.
_TEXT_NORM = re.compile(rf"{re.escape(_BODY)}prompt_norms\.(\d+)\..*")


def _branch(published: str, ours: str) -> list[tuple[str, str]]:
    """Return the rows of a branch of the head: a convolution with its norm, and a plain one."""
    return [
        (f"bbox_embed.conv2_{published}.{{rest}}", f"box_head.{ours}.0.{{rest}}"),
        (f"bbox_embed.conv3_{published}.{{rest}}", f"box_head.{ours}.1.{{rest}}"),
    ]


TABLE = RenameTable(
    [
        (_BODY + "blocks.{i}.cross_attn.{rest}", _INJECTOR + "attention.{rest}"),
        (_BODY + "prompt_norms.{i}.{rest}", _INJECTOR + "norm.{rest}"),
        (_BODY + "prompt_blocks.{i}.down_project.{rest}", _INJECTOR + "down.{rest}"),
        (_BODY + "prompt_blocks.{i}.up_project.{rest}", _INJECTOR + "up.{rest}"),
        *((_BODY + published, "backbone." + ours) for published, ours in VITDET_ROWS),
        ("textmodel.bert.{rest}", "text_encoder.bert.{rest}"),
        ("visu_proj.{rest}", "image_proj.{rest}"),
        ("text_proj.{rest}", "text_proj.{rest}"),
        ("decoder.decoder.{rest}", "decoder.{rest}"),
        ("bbox_embed.conv1_ctr.{rest}", "box_head.target_trunk.{rest}"),
        ("bbox_embed.conv1_offset.{rest}", "box_head.box_trunk.{rest}"),
        ("bbox_embed.conv2_seg.{rest}", "mask_head.patches.{rest}"),
        ("bbox_embed.conv3_seg.{rest}", "mask_head.smooth.{rest}"),
        *_branch("ctr", "center"),
        *_branch("size", "size"),
        *_branch("offset", "offset"),
    ],
    name=NAME,
)


def is_unused(key: str, state: Collection[str]) -> bool:
    """Return whether the published model stores this tensor of `state` and never reads it."""
    if norm := _TEXT_NORM.fullmatch(key):
        return f"{_BODY}blocks.{norm[1]}.cross_attn.in_proj_weight" not in state
    return _UNUSED.fullmatch(key) is not None


class PLVLLayout(Layout):
    """Layout of the published PLVL checkpoints."""

    name = NAME

    def matches(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a published PLVL checkpoint."""
        return {_BODY + "pos_embed", "bbox_embed.conv1_ctr.0.weight"} <= set(keys)

    def matches_ours(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a `PLVL` on ViTDet and BERT."""
        return {"backbone.position_embed", "box_head.target_trunk.0.weight"} <= set(keys)

    def to_ours(self, state: StateDict, model: nn.Module | None = None) -> StateDict:
        """Rename a published state dict, whichever blocks read the text; `model` is not needed."""
        return {TABLE.our_name(key): state[key] for key in state if not is_unused(key, state)}

    def to_published(
        self, state: Mapping[str, Tensor], model: nn.Module | None = None
    ) -> StateDict:
        """Rename the state dict of a `PLVL` to the published layout; `model` is not needed."""
        return {TABLE.published_name(key): value for key, value in state.items()}


LAYOUT = PLVLLayout()
