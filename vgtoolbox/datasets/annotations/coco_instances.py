"""Look up images and annotated objects of a COCO file (`instances.json`) by id."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    FieldError,
    describe,
    expect,
    expect_box,
    expect_items,
    expect_segmentation,
    read_annotations_file,
)
from vgtoolbox.utils.text_files import existing_file


class COCOInstances:
    """Content of an `instances.json`; entries are validated when they are looked up.

    Args:
        path: Path of the file, or of its compressed form without the suffix .gz.
        content: Parsed content of the file. If `None`, the file is read.

    Raises:
        AnnotationError: The file violates the format of COCO.
    """

    def __init__(self, path: Path, content: Any = None) -> None:
        self.path = path
        if content is None:
            self.path = path = existing_file(path) or path
            content = read_annotations_file(path)
        try:
            images = expect_items(content, "images", dict)
            annotations = expect_items(content, "annotations", dict)
            self._images = _by_id(images, "images")
            self._annotations = _by_id(annotations, "annotations")
        except FieldError as error:
            raise AnnotationError(f"{path}: {error}") from None
        self._targets: dict[Any, dict[str, Any]] = {}

    def image(self, image_id: Any) -> dict[str, Any]:
        """Return `{"file_name", "height", "width"}` of an image.

        Raises:
            FieldError: The entry does not exist or violates the format of COCO.
        """
        image = _look_up(self._images, image_id, "image", self.path)
        try:
            return {
                "file_name": expect(image, "file_name", str),
                "height": expect(image, "height", int),
                "width": expect(image, "width", int),
            }
        except FieldError as error:
            raise self._named(error, f"image {image_id}") from None

    def target(self, ann_id: Any) -> dict[str, Any]:
        """Return an annotation as a target: the same object at each call.

        Raises:
            FieldError: The entry does not exist or violates the format of COCO.
        """
        if ann_id not in self._targets:
            annotation = _look_up(self._annotations, ann_id, "annotation", self.path)
            try:
                self._targets[ann_id] = {
                    "bbox": expect_box(expect(annotation, "bbox", list | tuple)),
                    "segmentation": expect_segmentation(annotation.get("segmentation")),
                    "ann_id": ann_id,
                }
            except FieldError as error:
                raise self._named(error, f"annotation {ann_id}") from None
        return self._targets[ann_id]

    def image_of(self, ann_id: Any) -> Any:
        """Return the id of the image of an annotation."""
        annotation = _look_up(self._annotations, ann_id, "annotation", self.path)
        try:
            return expect(annotation, "image_id", int | str)
        except FieldError as error:
            raise self._named(error, f"annotation {ann_id}") from None

    def split_of_image(self, image_id: Any) -> Any:
        """Return the `split` of an image; `None` if it has none, as in COCO's own files."""
        return _look_up(self._images, image_id, "image", self.path).get("split")

    def annotations(self) -> Iterable[dict[str, Any]]:
        """Return all raw annotations, in the order of the file."""
        return self._annotations.values()

    def _named(self, error: FieldError, what: str) -> FieldError:
        """Return the error with `what` and the file in its message."""
        return FieldError(f"{what} of {self.path}: {error}")


def _by_id(entries: Iterable[dict[str, Any]], what: str) -> dict[Any, dict[str, Any]]:
    """Index entries by id; entries with the same id must be equal."""
    table: dict[Any, dict[str, Any]] = {}
    for position, entry in enumerate(entries):
        if "id" not in entry:
            raise FieldError(f"the key {what!r}, item {position}, must have the key 'id'")
        key = entry["id"]
        if type(key) is not int and not isinstance(key, str):
            raise FieldError(
                f"the key 'id' of {what!r}, item {position}, must be a number, got {describe(key)}"
            )
        first = table.setdefault(key, entry)
        if first is not entry and first != entry:
            raise FieldError(
                f"the ids of {what!r} must be unique, got two items with the id {entry['id']!r}"
            )
    return table


def _look_up(table: dict[Any, Any], key: Any, what: str, path: Path) -> Any:
    if isinstance(key, list | dict | set) or key not in table:
        hint = "check that the files belong together"
        other = int(key) if isinstance(key, str) and key.isdecimal() else str(key)
        if not isinstance(key, list | dict | set) and other in table:
            hint = f"it has {other!r}, of another type"
        raise FieldError(f"{what} {key!r} is not in {path}; {hint}")
    return table[key]
