"""Data of one's own: a COCO file whose annotations, or groups of them, have `expressions`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    Entry,
    FieldError,
    expect,
    expect_items,
    expect_texts,
    expect_value,
    read_annotations_file,
)
from vgtoolbox.datasets.annotations.coco_instances import COCOInstances
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.records import Record
from vgtoolbox.registry import DATASETS


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class COCOExpressionsDataset(GroundingDataset):
    """`images` and `annotations` as COCO has them, and sentences about them.

    An annotation with `expressions`, a list of texts, is named by each of these. What names several
    objects, or none, stands in `annotation_groups`: `{"id", "image_id", "annotation_ids": [...],
    "expressions": [...]}`. A `split` may stand in a group or annotation, or in its image; what has
    none is in every split.

    Args:
        ann_file: The file in `ann_root`; `<split>.json` where it is not given.
    """

    def read_entries(self) -> Iterator[Entry]:
        """Yield the annotations with expressions, then the groups."""
        path = self.find_file(f"{self.split}.json", "instances.json")
        content = read_annotations_file(path)
        self._instances = COCOInstances(path, content)
        try:
            has_groups = "annotation_groups" in content
            groups = expect(content, "annotation_groups", list) if has_groups else []
        except FieldError as error:
            raise AnnotationError(f"{path}: {error}") from None
        for annotation in self._instances.annotations():
            if "expressions" in annotation:
                name = f"annotation {annotation['id']}"
                alone = {**annotation, "annotation_ids": [annotation["id"]]}
                yield Entry(path, name, (str(annotation["id"]), alone))
        for position, group in enumerate(groups):
            ref_id = group.get("id", position) if isinstance(group, dict) else position
            yield Entry(path, f"annotation group {position}", (f"g{ref_id}", group))
        del self._instances

    def parse_data_info(self, raw_data_info: tuple[str, Any]) -> Record | None:
        """Make the record of an annotation, or of a group of them."""
        ref_id, group = raw_data_info
        image_id = expect(group, "image_id", int | str)
        split = group.get("split", self._instances.split_of_image(image_id)) or self.split
        if expect_value(split, "the key 'split'", str) != self.split:
            return None
        image = self._instances.image(image_id)
        texts = expect_texts(group, "expressions")
        ids = expect_items(group, "annotation_ids", int | str)
        strangers = [i for i in ids if self._instances.image_of(i) != image_id]
        if strangers:
            raise FieldError(f"annotation {strangers[0]!r} is not on image {image_id!r}")
        return {
            "img_path": self.image_path(image["file_name"]),
            "image_id": image_id,
            "sample_id": ref_id,
            "split": self.split,
            "expressions": texts,
            "expression_ids": [f"{ref_id}_{number}" for number in range(len(texts))],
            "height": image["height"],
            "width": image["width"],
            "targets": [self._instances.target(ann_id) for ann_id in ids],
        }
