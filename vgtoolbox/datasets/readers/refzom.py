"""Ref-ZOM as published: `refs(final).p`, released as `Ref-ZOM(final).p`, and `instances.json`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vgtoolbox.datasets.annotations.annotation_files import FieldError, expect, expect_items
from vgtoolbox.datasets.readers.refcoco import Ref, RefCOCODataset
from vgtoolbox.datasets.records import Record
from vgtoolbox.registry import DATASETS

SOURCES = ("zero", "one", "many")


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class RefZOMDataset(RefCOCODataset):
    """Expressions that name zero, one or many targets (Hu et al., DMMI, ICCV 2023).

    `source` says which of the three; "zero" counts, whatever ids stand beside it. Images are from
    COCO's train2014 and val2014 both: `image_root="images/{folder}"` finds them in two folders,
    `"images/trainval2014"` where they were merged into one, as the official page asks.
    """

    split_by: str = "final"

    @property
    def refs_names(self) -> tuple[str, ...]:
        """File names under which the refs are published, the preferred one first."""
        return (f"refs({self.split_by}).p", f"Ref-ZOM({self.split_by}).p", "Ref_ZOM.p")

    def target_ids(self, ref: Ref) -> Sequence[Any]:
        """Return the annotation ids of what the ref names; none for a no-target ref."""
        return [] if _source(ref) == "zero" else expect_items(ref, "ann_id", int)

    def parse_data_info(self, raw_data_info: Ref) -> Record:
        """Make the record of a ref, with its source."""
        record = super().parse_data_info(raw_data_info)
        return {**record, "sources": [_source(raw_data_info)] * len(record["expressions"])}


def _source(ref: Ref) -> str:
    source = expect(ref, "source", str)
    if source not in SOURCES:
        raise FieldError(f"the key 'source' should hold one of {SOURCES}, found {source!r}")
    return source
