"""Files that masks are looked up in by id: COCO's, or a JSON object id -> RLE."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    FieldError,
    describe,
    expect_segmentation,
    read_annotations_file,
    segmentation_box,
)
from vgtoolbox.datasets.annotations.coco_instances import COCOInstances

Target = dict[str, Any]


class MaskSource(Protocol):
    """Masks by id."""

    def target(self, mask_id: int | str) -> Target:
        """Return `{"bbox", "segmentation", "ann_id"}`, the same object each time."""

    def size(self, mask_id: int | str) -> dict[str, int]:
        """Return the `height` and `width` of the image that a mask is on."""


class COCOMaskSource:
    """Masks of a COCO file, by annotation id."""

    def __init__(self, instances: COCOInstances) -> None:
        self._instances = instances

    def target(self, mask_id: int | str) -> Target:
        """Return the target that an annotation is."""
        return self._instances.target(mask_id)

    def size(self, mask_id: int | str) -> dict[str, int]:
        """Return the size of the annotation's image."""
        image = self._instances.image(self._instances.image_of(mask_id))
        return {"height": image["height"], "width": image["width"]}


class RLETable:
    """Masks of a JSON object id -> RLE, or id -> {"segmentation": RLE}."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path = path
        self._content = content
        self._targets: dict[str, Target] = {}

    def target(self, mask_id: int | str) -> Target:
        """Return the target that a mask is, with the box around it."""
        key = str(mask_id)
        if key not in self._targets:
            entry = self._content.get(key)
            if entry is None:
                raise FieldError(f"names mask {mask_id!r}, which is not in {self.path}")
            rle = entry.get("segmentation", entry) if isinstance(entry, dict) else entry
            if not isinstance(rle, dict):
                raise FieldError(f"mask {mask_id!r} of {self.path} is no RLE: {describe(rle)}")
            segmentation = expect_segmentation(rle, f"mask {mask_id!r} of {self.path}")
            self._targets[key] = {
                "bbox": segmentation_box(segmentation),
                "segmentation": segmentation,
                "ann_id": mask_id,
            }
        return self._targets[key]

    def size(self, mask_id: int | str) -> dict[str, int]:
        """Return the size that the RLE has."""
        height, width = self.target(mask_id)["segmentation"]["size"]
        return {"height": height, "width": width}


def open_mask_source(path: Path) -> MaskSource:
    """Read a file of masks, of whichever kind it is.

    Raises:
        FileNotFoundError: There is none.
        AnnotationError: It is of neither kind.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no masks at {path.resolve()}; check the option 'masks'")
    content = read_annotations_file(path)
    if not isinstance(content, dict):
        raise AnnotationError(f"{path} should map ids to masks, it is {describe(content)}")
    if "annotations" in content:
        return COCOMaskSource(COCOInstances(path, content))
    return RLETable(path, content)
