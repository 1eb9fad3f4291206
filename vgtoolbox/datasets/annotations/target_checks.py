"""Check the targets of records while a split is read, whatever its format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vgtoolbox.datasets.annotations.annotation_files import AnnotationError, Entry, FieldError
from vgtoolbox.structures import GeometryError, check_polygons
from vgtoolbox.structures.validation import FractionDetector, Size, are_inside

_NAMED = 20


class TargetChecker:
    """Checker that drops unusable polygons and collects what concerns a whole split.

    Run lengths are checked when a sample is loaded: to decode all of them would take longer than to
    read the files.

    Attributes:
        dropped: Name of each polygon that was dropped, as "annotation 7, polygon 1 of FILE".
        file: File of all targets. `None` if there are several.
    """

    def __init__(self) -> None:
        self.dropped: list[str] = []
        self._files: set[Path] = set()
        self._last_file: Path | None = None
        self._targets: dict[int, dict[str, Any]] = {}  # refers to them, so that no id is reused
        self._fractions = FractionDetector()

    @property
    def file(self) -> Path | None:
        """File of all targets, or `None` if there are several."""
        return next(iter(self._files)) if len(self._files) == 1 else None

    def check(self, record: dict[str, Any], entry: Entry, targets_file: Path) -> None:
        """Check the targets of a record, and drop their polygons of fewer than three points.

        Args:
            record: Record of a ref.
            entry: Raw annotation that the record was made of, which the caller names in an error.
            targets_file: File of its targets.

        Raises:
            FieldError: A polygon is far outside the image, or none has three points.
        """
        if targets_file is not self._last_file:
            self._files.add(targets_file)
            self._last_file = targets_file
        has_size = "height" in record and "width" in record
        size = (record["height"], record["width"]) if has_size else None
        new = [t for t in record.get("targets", ()) if id(t) not in self._targets]
        for target in new:
            self._targets[id(target)] = target
            mask = target["segmentation"]
            if isinstance(mask, list | tuple) and not are_inside(mask, size):
                self._check_polygons(target, size, entry, targets_file)
        if not self._fractions.is_any_in_pixels:
            self._fractions.add(target["bbox"] for target in new)

    def _check_polygons(
        self, target: dict[str, Any], size: Size | None, entry: Entry, targets_file: Path
    ) -> None:
        name = f"annotation {target['ann_id']}"
        source = "" if entry.file == targets_file else f" of {targets_file}"
        what = "the mask" if entry.name == name else f"{name}{source}"
        try:
            polygons, unusable = check_polygons(target["segmentation"], size, what=what)
        except GeometryError as error:
            raise FieldError(str(error)) from None
        target["segmentation"] = polygons
        self.dropped += [f"{name}, polygon {i} of {targets_file}" for i in unusable]

    def describe_dropped(self) -> str:
        """Name the polygons that were dropped, for a warning."""
        more = len(self.dropped) - _NAMED
        return (
            f"dropped {len(self.dropped)} polygons with fewer than three points or half a point: "
            + "; ".join(self.dropped[:_NAMED])
            + (f"; and {more} more" if more > 0 else "")
        )

    def check_pixels(self, what: str) -> None:
        """Raise AnnotationError if all boxes of `what` are within one pixel."""
        try:
            self._fractions.check(what)
        except GeometryError as error:
            raise AnnotationError(str(error)) from None
