"""The images and annotated objects of a COCO file (`instances.json`), by id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    FieldError,
    expect,
    expect_box,
    expect_items,
    expect_segmentation,
    read_annotations_file,
)


class COCOInstances:
    """What an `instances.json` holds, checked where it is looked up.

    Args:
        path: The file.
        content: What stands in it, where that has been read already.
    """

    def __init__(self, path: Path, content: Any = None) -> None:
        self.path = path
        content = read_annotations_file(path) if content is None else content
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
            FieldError: There is none, or it is not as COCO says.
        """
        image = _look_up(self._images, image_id, "image", self.path)
        with self._naming(f"image {image_id}"):
            return {
                "file_name": expect(image, "file_name", str),
                "height": expect(image, "height", int),
                "width": expect(image, "width", int),
            }

    def target(self, ann_id: Any) -> dict[str, Any]:
        """Return the target that an annotation is: the same object each time.

        Raises:
            FieldError: There is none, or it is not as COCO says.
        """
        if ann_id not in self._targets:
            annotation = _look_up(self._annotations, ann_id, "annotation", self.path)
            mask = annotation.get("segmentation")
            with self._naming(f"annotation {ann_id}"):
                self._targets[ann_id] = {
                    "bbox": expect_box(expect(annotation, "bbox", list | tuple)),
                    "segmentation": None if mask is None else expect_segmentation(mask),
                    "ann_id": ann_id,
                }
        return self._targets[ann_id]

    def image_of(self, ann_id: Any) -> Any:
        """Return the id of the image that an annotation is on."""
        annotation = _look_up(self._annotations, ann_id, "annotation", self.path)
        with self._naming(f"annotation {ann_id}"):
            return expect(annotation, "image_id", int | str)

    def split_of_image(self, image_id: Any) -> Any:
        """Return the `split` that stands in an image, None where there is none (COCO's own)."""
        return _look_up(self._images, image_id, "image", self.path).get("split")

    def annotations(self) -> Iterable[dict[str, Any]]:
        """Return all raw annotations, in the order of the file."""
        return self._annotations.values()

    @contextmanager
    def _naming(self, what: str) -> Iterator[None]:
        """Say of an error inside that it is about `what` in this file."""
        try:
            yield
        except FieldError as error:
            raise FieldError(f"{what} of {self.path}: {error}") from None


def _by_id(entries: Iterable[dict[str, Any]], what: str) -> dict[Any, dict[str, Any]]:
    """Index entries; two that share an id must be equal, or what it names is undecided."""
    table: dict[Any, dict[str, Any]] = {}
    for position, entry in enumerate(entries):
        try:
            first = table.setdefault(entry["id"], entry)
        except KeyError:
            raise FieldError(f"the key {what!r}, item {position}, has no key 'id'") from None
        except TypeError:
            raise FieldError(f"the key 'id' of {what!r}, item {position}, is no number") from None
        if first is not entry and first != entry:
            raise FieldError(f"the key {what!r} has two different items of id {entry['id']!r}")
    return table


def _look_up(table: dict[Any, Any], key: Any, what: str, path: Path) -> Any:
    if isinstance(key, list | dict | set) or key not in table:
        raise FieldError(
            f"names {what} {key!r}, which is not in {path}; do the files belong together?"
        )
    return table[key]
