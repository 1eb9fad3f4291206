"""Data of one's own: JSON lines `{"image", "expression", "boxes", "masks"}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
    read_annotations_file,
    segmentation_box,
)
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.records import Record, image_id_of
from vgtoolbox.registry import DATASETS

BoxFormat = Literal["xyxy", "xywh"]

KEYS = ("image", "expression", "boxes", "masks", "id", "split", "height", "width")


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class JSONLinesDataset(GroundingDataset):
    """One JSON object a line; or, unless it is named .jsonl, a JSON array of such.

    `image` is a path below `image_root`; `expression` a text, or a list of texts that name the
    same; `boxes` a list of boxes, or one box; `masks` a list of polygons [[x1, y1, ...], ...] or
    RLEs, one for each target. Null or an empty list says that the expression names nothing; with
    neither key, nothing is known of the targets, and there is nothing to be measured by. Boxes
    alone are read with `LoadTargets(with_masks=False)`; of masks alone, boxes are made. `id`,
    `split`, `height` and `width` may be there: where no line has a `split`, all are in it.

    Args:
        ann_file: The file in `ann_root`.
        keys: Names that other files have for these keys, `{"expression": "caption"}`.
        box_format: "xyxy" corners, or "xywh" corner and size.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    box_format: BoxFormat = "xyxy"

    def read_entries(self) -> Iterator[Entry]:
        """Yield the objects that have no other split, with their position."""
        unknown = sorted(set(self.keys) - set(KEYS))
        if unknown:
            raise ValueError(f"keys has {unknown}; known are: {', '.join(KEYS)}")
        if self.box_format not in get_args(BoxFormat):
            raise ValueError(f"box_format must be 'xyxy' or 'xywh', got {self.box_format!r}")
        path = self.find_file(f"{self.split}.jsonl", f"{self.split}.json")
        text = path.read_text(encoding="utf-8", errors="replace")
        if text.lstrip()[:1] == "[" and path.suffix != ".jsonl":
            for position, content in enumerate(read_annotations_file(path)):
                yield Entry(path, f"item {position}", (position, content))
            return
        for position, line in enumerate(text.split("\n")):
            if line.strip():
                yield Entry(path, f"line {position + 1}", (position, line))

    def parse_data_info(self, raw_data_info: tuple[int, Any]) -> Record | None:
        """Make the record of a line."""
        position, content = raw_data_info
        entry = self._renamed(content)
        if expect_value(entry.get("split", self.split), "the key 'split'", str) != self.split:
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
        """Parse a line, and call its keys as we do."""
        parsed = parse_json(content) if isinstance(content, str) else content
        entry = expect_value(parsed, "it", dict)
        names = {key: self.keys.get(key, key) for key in KEYS}
        return {key: entry[name] for key, name in names.items() if name in entry}

    def _targets(self, entry: dict[str, Any]) -> Record:
        """Return `{"targets": list}`, or nothing where nothing is known of them."""
        if "boxes" not in entry and "masks" not in entry:
            return {}
        boxes = [self._box(box) for box in _as_list(entry.get("boxes"), "boxes")]
        masks = [expect_segmentation(m, "the key 'masks'") for m in _as_masks(entry.get("masks"))]
        boxes = boxes if entry.get("boxes") is not None else [segmentation_box(m) for m in masks]
        masks = masks if entry.get("masks") is not None else [None] * len(boxes)
        if len(boxes) != len(masks):
            raise FieldError(f"there are {len(boxes)} boxes and {len(masks)} masks")
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


def _as_list(value: Any, key: str) -> list[Any]:
    """Return a list of boxes, also of one box."""
    boxes = list(expect_value([] if value is None else value, f"the key {key!r}", list | tuple))
    return [boxes] if boxes and not isinstance(boxes[0], list | tuple) else boxes


def _as_masks(value: Any) -> list[Any]:
    """Return a list of masks, also of one RLE."""
    if isinstance(value, Mapping):
        return [value]
    return list(expect_value([] if value is None else value, "the key 'masks'", list | tuple))
