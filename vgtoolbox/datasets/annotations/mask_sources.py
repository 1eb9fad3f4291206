"""Look up masks by id, in a COCO file or in a JSON object that maps ids to RLEs."""

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
from vgtoolbox.utils.text_files import existing_file

Target = dict[str, Any]


class MaskSource(Protocol):
    """Source of masks by id."""

    def target(self, mask_id: int | str) -> Target:
        """Return `{"bbox", "segmentation", "ann_id"}`, the same object at each call."""

    def size(self, mask_id: int | str) -> dict[str, int]:
        """Return the `height` and `width` of the image of a mask."""


class COCOMaskSource:
    """Masks of a COCO file by annotation id.

    Args:
        instances: Content of the file.
    """

    def __init__(self, instances: COCOInstances) -> None:
        self._instances = instances

    def target(self, mask_id: int | str) -> Target:
        """Return an annotation as a target."""
        return self._instances.target(mask_id)

    def size(self, mask_id: int | str) -> dict[str, int]:
        """Return the size of the annotation's image."""
        image = self._instances.image(self._instances.image_of(mask_id))
        return {"height": image["height"], "width": image["width"]}


class RLETable:
    """Masks of a JSON object id -> RLE, or id -> {"segmentation": RLE}.

    Args:
        path: Path of the file, for errors.
        content: Parsed content of the file.
    """

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path = path
        self._content = content
        self._targets: dict[str, Target] = {}

    def target(self, mask_id: int | str) -> Target:
        """Return a mask as a target, with the box around it."""
        key = str(mask_id)
        if key not in self._targets:
            entry = self._content.get(key)
            if entry is None:
                raise FieldError(f"mask {mask_id!r} is not in {self.path}")
            rle = entry.get("segmentation", entry) if isinstance(entry, dict) else entry
            if not isinstance(rle, dict):
                raise FieldError(
                    f"mask {mask_id!r} of {self.path} must be an RLE, got {describe(rle)}"
                )
            segmentation = expect_segmentation(rle, f"mask {mask_id!r} of {self.path}")
            self._targets[key] = {
                "bbox": segmentation_box(segmentation),
                "segmentation": segmentation,
                "ann_id": mask_id,
            }
        return self._targets[key]

    def size(self, mask_id: int | str) -> dict[str, int]:
        """Return the size of the RLE."""
        height, width = self.target(mask_id)["segmentation"]["size"]
        return {"height": height, "width": width}


def open_mask_source(path: Path) -> MaskSource:
    """Read a file of masks of either kind.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: The file is of neither kind.
    """
    found = existing_file(path)
    if found is None:
        raise FileNotFoundError(f"no masks at {path.resolve()}; check the option 'masks'")
    path, content = found, read_annotations_file(found)
    if not isinstance(content, dict):
        raise AnnotationError(f"{path} must map ids to masks, got {describe(content)}")
    if "annotations" in content:
        return COCOMaskSource(COCOInstances(path, content))
    return RLETable(path, content)
