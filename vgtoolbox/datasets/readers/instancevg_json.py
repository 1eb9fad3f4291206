"""Read InstanceVG's released annotations in SeqTR's format: JSON that maps splits to items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    Entry,
    FieldError,
    describe,
    expect,
    expect_box,
    expect_items,
    expect_segmentation,
    expect_texts,
    expect_value,
    read_annotations_file,
)
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.records import Record, image_id_of
from vgtoolbox.registry import DATASETS
from vgtoolbox.utils.choices import did_you_mean
from vgtoolbox.utils.text_files import existing_file

Item: TypeAlias = dict[str, Any]


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class InstanceVGJsonDataset(GroundingDataset):
    """`mixed-seg`, `grefs`, `ref-zom` and `rrefcoco` (Dai et al., InstanceVG, 2025).

    An item is a ref: in `mixed-seg` with one `bbox` and `mask`, in the others with `annotations`,
    whose `bbox` is null if the expression names nothing. In `rrefcoco` an item is a list of refs, a
    true expression and false ones of one image. `instance_index.json` in the same folder groups the
    items of a validation split into refs by pairs [first, last + 1]: the part of a `sample_id`
    before the last `_` is the number of the group.

    Args:
        ann_file: Name of the file in `ann_root`. If empty, `instance.json`, `instances.json` or
            `instances_nogoogle.json`.
        image_name: Name of an image whose item has no `file_name`; `image_id` is filled in.

    The other arguments are those of `GroundingDataset`.
    """

    image_name: str = "COCO_train2014_{image_id:012d}.jpg"

    def read_entries(self) -> Iterator[Entry]:
        """Yield (group number, item) in the order of the file."""
        path = self.find_file("instance.json", "instances.json", "instances_nogoogle.json")
        items = _split_of(read_annotations_file(path), self.split, path)
        for group, members in enumerate(self._groups(path, len(items))):
            for position in members:
                name = f"split {self.split!r}, item {position}"
                yield Entry(path, name, (group, items[position]))

    def parse_data_info(self, raw_data_info: tuple[int, Any]) -> Record | None:
        """Return the record of an item, or `None` if it has no expressions."""
        group, item = raw_data_info
        parts = item if isinstance(item, list) else [item]
        if not parts:
            raise FieldError("it must be one ref or more, got none")
        targets: list[dict[str, Any]] = []
        expressions, named = [], []
        for part in parts:
            positions = [_add(target, targets) for target in _targets(part)]
            texts = _expressions(part)
            expressions += texts
            named += [positions] * len(texts)
        if not expressions:  # refs of gRefCOCO without sentences
            return None
        record = self._about_image(parts)
        first = self._numbers.get(group, 0)
        self._numbers[group] = first + len(expressions)
        ids = [f"{group}_{first + offset}" for offset in range(len(expressions))]
        return {
            **record,
            "sample_id": str(group),
            "expressions": expressions,
            "expression_ids": ids,
            "targets": targets,
            **({"expression_targets": named} if len(parts) > 1 else {}),
        }

    def _about_image(self, parts: list[Item]) -> Record:
        images = {self._file_name(part) for part in parts}
        if len(images) > 1:
            raise FieldError(f"its refs must share one image, got {', '.join(sorted(images))}")
        first, name = parts[0], images.pop()
        return {
            "img_path": self.image_path(name),
            "image_id": expect({"image_id": image_id_of(name), **first}, "image_id", int | str),
            "split": self.split,
            "height": expect(first, "height", int),
            "width": expect(first, "width", int),
        }

    def _file_name(self, part: Item) -> str:
        if isinstance(part, Mapping) and "file_name" in part:
            return expect(part, "file_name", str)
        return self.image_name.format(image_id=expect(part, "image_id", int))

    def _groups(self, path: Path, count: int) -> list[range]:
        """Return the positions of each group's items; without an index, each item is a group."""
        self._numbers: dict[int, int] = {}
        index = existing_file(path.with_name("instance_index.json"))
        splits = read_annotations_file(index) if index else {}
        if not isinstance(splits, dict) or self.split not in splits:
            return [range(position, position + 1) for position in range(count)]
        pairs = splits[self.split]
        is_pairs = isinstance(pairs, list) and all(
            isinstance(p, list) and len(p) == 2 and set(map(type, p)) == {int} for p in pairs
        )
        groups = [range(*pair) for pair in pairs] if is_pairs else []
        edges = [edge for group in groups for edge in (group.start, group.stop)]
        steps = all(group.start < group.stop for group in groups) and all(
            before == after for before, after in list(pairwise(edges))[1::2]
        )
        if not groups or not steps or (edges[0], edges[-1]) != (0, count):
            raise AnnotationError(
                f"{index}: the key {self.split!r} must be pairs [first, last + 1] that cover the "
                f"{count} items of {path.name} consecutively, got {describe(pairs)}"
            )
        return groups


def _split_of(content: Any, split: str, path: Path) -> list[Any]:
    if not isinstance(content, dict):
        raise AnnotationError(f"{path} must map splits to items, got {describe(content)}")
    if not isinstance(content.get(split), list) or not content[split]:
        present = sorted(map(str, content))
        raise AnnotationError(
            f"{path} has no split {split!r} with items; it has: {', '.join(present) or 'none'}"
            + did_you_mean(split, present)
        )
    return content[split]


def _expressions(part: Item) -> list[str]:
    """Return the sentences: from a list, or from a dict whose `raw` is one or several."""
    value = expect(part, "expressions", list | dict)
    entry, key = (value, "raw") if isinstance(value, dict) else (part, "expressions")
    return expect_texts(entry, key, allow_none=True)


def _targets(part: Item) -> list[dict[str, Any]]:
    """Return the targets. Null boxes are skipped; the published loader stops at the first one."""
    if "annotations" not in expect_value(part, "it", dict):
        return [_target(part, "mask", 0)]
    annotations = expect_items(part, "annotations", dict)
    real = [a for a in annotations if a.get("bbox") is not None]
    return [_target(annotation, "segmentation", i) for i, annotation in enumerate(real)]


def _target(annotation: Item, mask_key: str, position: int) -> dict[str, Any]:
    ann_id = annotation.get("id", annotation.get("ann_id", position))
    return {
        "bbox": expect_box(annotation.get("bbox")),
        "segmentation": expect_segmentation(annotation.get(mask_key), f"the key {mask_key!r}"),
        "ann_id": expect_value(ann_id, "the key 'id'", int | str),
    }


def _add(target: dict[str, Any], targets: list[dict[str, Any]]) -> int:
    """Append a target, unless the list contains it; return its position."""
    if target not in targets:
        targets.append(target)
    return targets.index(target)
