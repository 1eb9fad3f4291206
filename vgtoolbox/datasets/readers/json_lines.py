"""Read custom data: JSON lines `{"image", "expression", "boxes", "masks"}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from vgtoolbox.datasets.annotations.annotation_files import (
    Entry,
    FieldError,
    expect,
    expect_box,
    expect_segmentation,
    expect_texts,
    expect_value,
    parse_json,
    read_annotation_lines,
    read_annotations_file,
    segmentation_box,
)
from vgtoolbox.datasets.annotations.key_hints import explain_line_keys, suggested_keys
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.records import Record, image_id_of
from vgtoolbox.registry import DATASETS
from vgtoolbox.utils.choices import OptionError, check_choice

BoxFormat = Literal["xyxy", "xywh"]

KEYS = ("image", "expression", "boxes", "masks", "id", "split", "height", "width")


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class JSONLinesDataset(GroundingDataset):
    """One JSON object per line; or a JSON array of objects, whatever the name of the file.

    The file is UTF-8, with or without a byte order mark, and may be compressed (`.jsonl.gz`).

    `image` is a path relative to `image_root`; `expression` a text, or a list of texts that name
    the same targets; `boxes` a list of boxes, or one box; `masks` a list of polygons
    [[x1, y1, ...], ...] or RLEs, one per target. Null or an empty list means that the expression
    names nothing; without both keys, the targets are unknown and metrics cannot be computed. Data
    with boxes alone need `LoadTargets(with_masks=False)`; boxes are derived from masks if missing.
    `id`, `split`, `height` and `width` are optional: lines without `split` are in every split.

    Args:
        ann_file: Name of the file in `ann_root`. If empty, `<split>.jsonl` or `<split>.json`.
        keys: Mapping from these keys to their names in the file, as `{"expression": "caption"}`.
        box_format: "xyxy" for corners, or "xywh" for the upper left corner and the size.

    The other arguments are those of `GroundingDataset`.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    box_format: BoxFormat = "xyxy"

    def read_entries(self) -> Iterator[Entry]:
        """Yield all objects with their positions."""
        unknown = sorted(set(self.keys) - set(KEYS))
        if unknown:
            raise OptionError(f"keys must be among {', '.join(KEYS)}, got {', '.join(unknown)}")
        check_choice("box_format", self.box_format, get_args(BoxFormat))
        path = self.find_file(f"{self.split}.jsonl", f"{self.split}.json")
        if is_json_array(path):
            for position, content in enumerate(read_annotations_file(path)):
                yield Entry(path, f"item {position}", (position, content))
            return
        for number, line in read_annotation_lines(path):
            yield Entry(path, f"line {number}", (number - 1, line))

    def parse_data_info(self, raw_data_info: tuple[int, Any]) -> Record | None:
        """Return the record of a line, or `None` if it has another split."""
        position, content = raw_data_info
        entry = self._renamed(content)
        split = expect_value(entry.get("split", self.split), "the key 'split'", str)
        if not self.is_of_split(split):
            return None
        name = expect(entry, "image", str)
        texts = expect_texts(entry, "expression")
        sample_id = str(expect_value(entry.get("id", position), "the key 'id'", int | str))
        ids = [sample_id] if len(texts) == 1 else [f"{sample_id}_{i}" for i in range(len(texts))]
        return {
            "img_path": self.image_path(name),
            "image_id": image_id_of(name),
            "sample_id": sample_id,
            "split": self.split,
            "expressions": texts,
            "expression_ids": ids,
            **{side: expect(entry, side, int) for side in ("height", "width") if side in entry},
            **self._targets(entry),
        }

    def _renamed(self, content: Any) -> dict[str, Any]:
        """Parse a line and rename its keys to ours."""
        entry = _parsed(content)
        names = {key: self.keys.get(key, key) for key in KEYS}
        renamed = {key: entry[name] for key, name in names.items() if name in entry}
        for key in ("image", "expression"):
            if key not in renamed:
                raise FieldError(explain_line_keys(entry, key, self.keys))
        if "boxes" not in renamed and "masks" not in renamed:
            self._check_no_unread_targets(entry)
        return renamed

    def _check_no_unread_targets(self, entry: dict[str, Any]) -> None:
        """Raise if a line without boxes and masks has them under another name."""
        found = suggested_keys(entry, self.keys)
        targets: dict[str, str] = {k: found[k] for k in ("boxes", "masks") if k in found}
        if targets:
            mapping: dict[str, str] = dict(self.keys) | dict(targets)
            raise FieldError(
                "the keys 'boxes' and 'masks' are missing, but "
                f"{' and '.join(map(repr, targets.values()))} may be another name of one; map it "
                f"with keys={mapping}, and use box_format='xywh' if the boxes have that format"
            )

    def _targets(self, entry: dict[str, Any]) -> Record:
        """Return `{"targets": list}`, or an empty dict if the targets are unknown."""
        if "boxes" not in entry and "masks" not in entry:
            return {}
        boxes = [self._box(box) for box in _as_list(entry.get("boxes"), "boxes")]
        masks = [expect_segmentation(m, "the key 'masks'") for m in _as_masks(entry.get("masks"))]
        boxes = boxes if entry.get("boxes") is not None else [segmentation_box(m) for m in masks]
        masks = masks if entry.get("masks") is not None else [None] * len(boxes)
        if len(boxes) != len(masks):
            raise FieldError(
                f"it must have equal numbers of boxes and masks, got {len(boxes)} and {len(masks)}"
            )
        return {
            "targets": [
                {"bbox": box, "segmentation": mask, "ann_id": number}
                for number, (box, mask) in enumerate(zip(boxes, masks, strict=True))
            ]
        }

    def _box(self, box: Any) -> list[Any]:
        x, y, *extent = expect_box(box, "the key 'boxes'")
        if self.box_format == "xyxy":
            extent = [extent[0] - x, extent[1] - y]
        return [x, y, *extent]


def is_json_array(path: Path) -> bool:
    """Return whether a file is one JSON array instead of an object per line."""
    first, second = [*(line for _, line in islice(read_annotation_lines(path), 2)), b"", b""][:2]
    if not first.lstrip().startswith(b"["):
        return False
    if not second:
        return True
    try:
        parse_json(first)
    except FieldError:
        return True
    return False  # a broken line of several


def _parsed(content: Any) -> dict[str, Any]:
    parsed = parse_json(content) if isinstance(content, bytes) else content
    return expect_value(parsed, "it", dict)


def _as_list(value: Any, key: str) -> list[Any]:
    """Return a list of boxes; a single box becomes a list."""
    boxes = list(expect_value([] if value is None else value, f"the key {key!r}", list | tuple))
    return [boxes] if boxes and not isinstance(boxes[0], list | tuple) else boxes


def _as_masks(value: Any) -> list[Any]:
    """Return a list of masks; a single RLE becomes a list."""
    if isinstance(value, Mapping):
        return [value]
    return list(expect_value([] if value is None else value, "the key 'masks'", list | tuple))
