"""Key layout of ViTDet in detectron2; a PLVL checkpoint has it below another prefix.

The file is `model_final_435fa9.pkl`, `cascade_mask_rcnn_vitdet_b` of the model zoo, pretrained by
MAE and trained on COCO. Its pyramid, proposal and box networks are dropped.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor, nn

from vgtoolbox.checkpoint.layouts.base import Layout, StateDict
from vgtoolbox.checkpoint.rename import RenameTable

NAME = "detectron2's ViTDet"
_BODY = "backbone.net."
_PART = "backbone."  # name of the body in a model that has it as a part
_INJECTOR = ".text_injector."

# Relative to the prefix of either side.
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


class ViTDetLayout(Layout):
    """Layout of a detectron2 model on ViTDet."""

    name = NAME

    def matches(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of a detectron2 model on ViTDet."""
        return {_BODY + "pos_embed", _BODY + "patch_embed.proj.weight"} <= set(keys)

    def matches_ours(self, keys: Collection[str]) -> bool:
        """Return whether the keys are those of our `ViTDet` alone, without text injectors."""
        is_body = {"position_embed", "blocks.0.attention.relative_position.rows"} <= set(keys)
        return is_body and not any(_INJECTOR in key for key in keys)

    def to_ours(self, state: StateDict, model: nn.Module | None = None) -> StateDict:
        """Rename the weights of the body and drop those of the detector.

        Args:
            state: State dict with the keys of detectron2.
            model: `ViTDet`, or a model with a `ViTDet` as `backbone`. It determines the names, and
                its text injectors, which detectron2 does not have, keep their weights. If `None`,
                the names are those of a `ViTDet`.

        Raises:
            ValueError: A key of the body is unknown.
        """
        body = getattr(model, "backbone", model)
        ours = {TABLE.our_name(key): value for key, value in state.items() if key.startswith(_BODY)}
        if body is not None:
            ours |= {key: value for key, value in body.state_dict().items() if _INJECTOR in key}
        return ours if body is model else {_PART + key: value for key, value in ours.items()}

    def to_published(
        self, state: Mapping[str, Tensor], model: nn.Module | None = None
    ) -> StateDict:
        """Rename the state dict of a `ViTDet` to the names of the body in detectron2.

        Raises:
            ValueError: A key has no counterpart, which is the case for text injectors.
        """
        return {TABLE.published_name(key): value for key, value in state.items()}


LAYOUT = ViTDetLayout()
