"""Read gRefCOCO: `grefs(unc).json` (or `.p`) and `instances.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vgtoolbox.datasets.annotations.annotation_files import expect_items
from vgtoolbox.datasets.readers.refcoco import Ref, RefCOCODataset
from vgtoolbox.registry import DATASETS

NO_TARGET = -1


@DATASETS.register_module()
class GRefCOCODataset(RefCOCODataset):
    """Expressions that name any number of targets (Liu et al., GRES, CVPR 2023).

    `ann_id` is a list; [-1], or an empty list in derived files, means that the expression names
    nothing in the image.
    """

    @property
    def refs_names(self) -> tuple[str, ...]:
        """Published file names of the refs, the preferred one first."""
        return (f"grefs({self.split_by}).json", f"grefs({self.split_by}).p")

    def target_ids(self, ref: Ref) -> Sequence[Any]:
        """Return the annotation ids of the ref's targets; empty for a no-target ref."""
        return [ann_id for ann_id in expect_items(ref, "ann_id", int) if ann_id != NO_TARGET]
