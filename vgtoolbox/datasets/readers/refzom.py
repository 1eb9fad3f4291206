"""Read Ref-ZOM: `refs(final).p`, released as `Ref-ZOM(final).p`, and `instances.json`."""

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

    `source` is one of these three; "zero" means no target, whatever ids are annotated. Images are
    from COCO's train2014 and val2014: use `image_root="images/{folder}"` for two folders, or
    `"images/trainval2014"` if they were merged into one, as the official page asks.
    """

    split_by: str = "final"

    @property
    def refs_names(self) -> tuple[str, ...]:
        """Published file names of the refs, the preferred one first."""
        return (f"refs({self.split_by}).p", f"Ref-ZOM({self.split_by}).p", "Ref_ZOM.p")

    def target_ids(self, ref: Ref) -> Sequence[Any]:
        """Return the annotation ids of the ref's targets; empty for a no-target ref."""
        return [] if _source(ref) == "zero" else expect_items(ref, "ann_id", int)

    def parse_data_info(self, raw_data_info: Ref) -> Record | None:
        """Return the record of a ref with its source, or `None` if it has no sentences."""
        record = super().parse_data_info(raw_data_info)
        if record is None:
            return None
        return {**record, "sources": [_source(raw_data_info)] * len(record["expressions"])}


def _source(ref: Ref) -> str:
    source = expect(ref, "source", str)
    if source not in SOURCES:
        raise FieldError(f"the key 'source' must be one of {', '.join(SOURCES)}, got {source!r}")
    return source
