"""detectron2's key layout of ViTDet; in a PLVL checkpoint it stands below another prefix.

The file is `model_final_435fa9.pkl`, the model zoo's `cascade_mask_rcnn_vitdet_b`, pretrained by
MAE and trained on COCO. Its pyramid, proposal and box networks are left out.
"""

from __future__ import annotations

from collections.abc import Collection

from torch import nn

from vgtoolbox.checkpoint.layouts.base import Layout, StateDict
from vgtoolbox.checkpoint.rename import RenameTable

NAME = "detectron2's ViTDet"
_BODY = "backbone.net."
_PART = "backbone."  # how a model that has the body as a part names it
_INJECTOR = ".text_injector."

# Below the prefixes of either side.
VITDET_ROWS = [
    ("pos_embed", "position_embed"),
    ("patch_embed.proj.{rest}", "patch_embed.{rest}"),
    ("blocks.{i}.attn.rel_pos_h", "blocks.{i}.attention.relative_position.rows"),
    ("blocks.{i}.attn.rel_pos_w", "blocks.{i}.attention.relative_position.columns"),
    ("blocks.{i}.attn.{rest}", "blocks.{i}.attention.{rest}"),
    ("blocks.{i}.norm1.{rest}", "blocks.{i}.norm1.{rest}"),
    ("blocks.{i}.norm2.{rest}", "blocks.{i}.norm2.{rest}"),
    ("blocks.{i}.mlp.{rest}", "blocks.{i}.mlp.{rest}"),
]
TABLE = RenameTable([(_BODY + published, ours) for published, ours in VITDET_ROWS], name=NAME)


def matches(keys: Collection[str]) -> bool:
    """Whether the keys are those of a detectron2 model on ViTDet."""
    return {_BODY + "pos_embed", _BODY + "patch_embed.proj.weight"} <= set(keys)


def matches_ours(keys: Collection[str]) -> bool:
    """Whether the keys are those of our `ViTDet` by itself, without language."""
    is_body = {"position_embed", "blocks.0.attention.relative_position.rows"} <= set(keys)
    return is_body and not any(_INJECTOR in key for key in keys)


def to_ours(state: StateDict, model: nn.Module | None = None) -> StateDict:
    """Rename the weights of the body, and leave out those of the detector.

    Args:
        state: detectron2's keys.
        model: A `ViTDet`, or a model that has it as `backbone`: names are those in it, and its text
            injectors, of which detectron2 knows nothing, keep their weights. None names a `ViTDet`.

    Raises:
        ValueError: A key of the body is unknown.
    """
    body = getattr(model, "backbone", model)
    ours = {TABLE.our_name(key): value for key, value in state.items() if key.startswith(_BODY)}
    if body is not None:
        ours |= {key: value for key, value in body.state_dict().items() if _INJECTOR in key}
    return ours if body is model else {_PART + key: value for key, value in ours.items()}


def to_published(state: StateDict, model: nn.Module | None = None) -> StateDict:
    """Rename the state dict of one of our `ViTDet` as detectron2 names the body.

    Raises:
        ValueError: A key has no counterpart: text injectors have none.
    """
    return {TABLE.published_name(key): value for key, value in state.items()}


LAYOUT = Layout(NAME, matches, to_ours, matches_ours, to_published)
