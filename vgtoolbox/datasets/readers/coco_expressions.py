"""Read custom data: a COCO file whose annotations, or groups of them, have `expressions`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    Entry,
    FieldError,
    dicts_in,
    expect,
    expect_items,
    expect_texts,
    expect_value,
    read_annotations_file,
)
from vgtoolbox.datasets.annotations.coco_instances import COCOInstances
from vgtoolbox.datasets.annotations.key_hints import text_keys
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.records import Record
from vgtoolbox.registry import DATASETS

_MAX_KEYS = 10


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class COCOExpressionsDataset(GroundingDataset):
    """COCO's `images` and `annotations` with expressions.

    Each text in the list `expressions` of an annotation names that annotation. Expressions that
    name several objects, or none, are in `annotation_groups`: `{"id", "image_id",
    "annotation_ids": [...], "expressions": [...]}`. A group, an annotation or its image may have a
    `split`; an entry without one is in every split.

    Args:
        ann_file: Name of the file in `ann_root`. If empty, `<split>.json` or `instances.json`.

    The other arguments are those of `GroundingDataset`.
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
        annotations = list(self._instances.annotations())
        if not groups and not any(annotation.get("expressions") for annotation in annotations):
            raise AnnotationError(f"{path}: {_explain_no_expressions(content, annotations)}")
        repeated = repeated_files(content["images"])
        if repeated:
            (name, ids), *_ = repeated.items()
            self._log(
                f"{len(repeated)} files are images of several ids, so that expressions of one "
                f"image may be learned on another: {name!r} has the ids {ids}"
            )
        for annotation in annotations:
            if "expressions" in annotation:
                name = f"annotation {annotation['id']}"
                alone = {**annotation, "annotation_ids": [annotation["id"]]}
                yield Entry(path, name, (str(annotation["id"]), alone))
        for position, group in enumerate(groups):
            ref_id = group.get("id", position) if isinstance(group, dict) else position
            yield Entry(path, f"annotation group {position}", (f"g{ref_id}", group))
        del self._instances

    def parse_data_info(self, raw_data_info: tuple[str, Any]) -> Record | None:
        """Return the record of an annotation, or of a group of annotations."""
        ref_id, group = raw_data_info
        image_id = expect(group, "image_id", int | str)
        split = group.get("split", self._instances.split_of_image(image_id)) or self.split
        if not self.is_of_split(expect_value(split, "the key 'split'", str)):
            return None
        image = self._instances.image(image_id)
        texts = expect_texts(group, "expressions", allow_none=True)
        if not texts:  # tools write an empty list for objects that nobody has described
            return None
        ids = expect_items(group, "annotation_ids", int | str)
        elsewhere = [i for i in ids if self._instances.image_of(i) != image_id]
        if elsewhere:
            raise FieldError(
                f"annotation {elsewhere[0]!r} must be on image {image_id!r}, got image "
                f"{self._instances.image_of(elsewhere[0])!r}"
            )
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


def repeated_files(images: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the ids of each file that several images name."""
    ids: dict[str, list[Any]] = {}
    for image in images:
        if isinstance(image.get("file_name"), str):
            ids.setdefault(image["file_name"], []).append(image.get("id"))
    unique = {name: list(dict.fromkeys(found)) for name, found in ids.items() if len(found) > 1}
    return {name: found for name, found in unique.items() if len(found) > 1}


def _explain_no_expressions(content: dict[str, Any], annotations: list[dict[str, Any]]) -> str:
    """Say where expressions belong, and which texts the file has instead."""
    tables = {
        "annotations": annotations,
        "images": dicts_in(content["images"]),
        "categories": dicts_in(content.get("categories")),
    }
    found = [f"{key!r} of {name!r}" for name, table in tables.items() for key in text_keys(table)]
    texts = ", ".join(found[:_MAX_KEYS]) or "none"
    return (
        "an annotation must have the key 'expressions', a list of texts that name it "
        '(`"expressions": ["the red cup"]`), or the file the key \'annotation_groups\', got '
        f"neither in {len(annotations)} annotations; keys with texts: {texts}; rename one to "
        "'expressions', or write expressions"
    )
