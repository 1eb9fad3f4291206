"""The lists that EEVG and PLVL read: `<name>/<name>_<split>.pth`, a tuple for each sentence."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    Entry,
    FieldError,
    describe,
    expect_box,
    expect_segmentation,
    expect_value,
)
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.records import Record, image_id_of
from vgtoolbox.registry import DATASETS
from vgtoolbox.utils.restricted_pickle import load_restricted_pickle

Row: TypeAlias = tuple[Any, ...]

_WITH_CORNERS = ("referit", "flickr")
"""Lists whose boxes are x1, y1, x2, y2; those of the others are x, y, width, height."""
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
"""What the older of torch.save's two formats begins with."""


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class EEVGListDataset(GroundingDataset):
    """Phrases with one box each (EEVG, PLVL): RefCOCO family, ReferIt, Flickr30k, Visual Genome.

    A tuple is (image file, source, box and polygons, phrase, attributes), or, for Flickr30k
    Entities, (image file, box, phrase). Phrases of one box of one image are a ref. What has no
    polygon has no mask: read such lists with `LoadTargets(with_masks=False)`.

    Args:
        name: unc, unc+, gref_umd, gref, referit, flickr, mixed_coco or mixed_pretrain: the folder
            in `ann_root`.
        split: train, val, test, testA, testB; or trainval, both lists where there is none for it.
        image_root: A folder, or one for each source: `{"coco": ..., "flickr": ..., "vg": ...}`.
    """

    name: str

    def read_entries(self) -> Iterator[Entry]:
        """Yield tuples with their position; with `group_by="ref"`, lists of those of one box."""
        rows = [(path, row) for path in self._files() for row in _read_list(path)]
        self._refs: dict[Any, dict[str, Any]] = {}
        groups: dict[Any, list[int]] = {}
        for position, (_, row) in enumerate(rows):
            name = _box_name(row, position) if self.group_by == "ref" else position
            groups.setdefault(name, []).append(position)
        for members in groups.values():
            tuples = [(position, rows[position][1]) for position in members]
            yield Entry(rows[members[0]][0], f"tuple {members[0]}", tuples)

    def parse_data_info(self, raw_data_info: list[tuple[int, Row]]) -> Record:
        """Make the record of a ref."""
        parts = [_parts(row) for _, row in raw_data_info]
        file_name, source, box, _ = parts[0]
        ref = self._refs.setdefault((file_name, tuple(map(str, box))), {"number": len(self._refs)})
        if "target" not in ref:
            ref["target"] = self._target(box, ref["number"])
        return {
            "img_path": self.image_path(file_name, source),
            "image_id": image_id_of(file_name),
            "sample_id": str(ref["number"]),
            "split": self.split,
            "expressions": [phrase for _, _, _, phrase in parts],
            "expression_ids": [f"{ref['number']}_{position}" for position, _ in raw_data_info],
            "targets": [ref["target"]],
        }

    def _target(self, box: list[Any], number: int) -> dict[str, Any]:
        x, y, *extent = expect_box(box[:4], "the box")
        if self.name in _WITH_CORNERS:
            extent = [extent[0] - x, extent[1] - y]
        polygons = box[4:] or None
        if polygons is not None:
            polygons = expect_segmentation(polygons, "what follows the box")
        return {"bbox": [x, y, *extent], "segmentation": polygons, "ann_id": number}

    def _files(self) -> list[Path]:
        """Return the file of the split, or the two of trainval."""
        name = f"{self.name}/{self.name}_{{}}.pth"
        if self.split == "trainval" and not (self.ann_dir / name.format("trainval")).is_file():
            return [self.find_file(name.format(split)) for split in ("train", "val")]
        return [self.find_file(name.format(self.split))]


def _parts(row: Any) -> tuple[str, str, list[Any], str]:
    """Return image file, source, box with polygons, phrase."""
    if not isinstance(row, tuple | list) or len(row) not in (3, 5):
        raise FieldError(f"expected a tuple of 5, or 3 for Flickr30k, found {describe(row)}")
    file_name, source, box, phrase = (row[0], "flickr", *row[1:]) if len(row) == 3 else row[:4]
    return (
        expect_value(file_name, "the image file", str),
        expect_value(source, "the source", str),
        list(expect_value(box, "the box", list | tuple)),
        expect_value(phrase, "the phrase", str),
    )


def _box_name(row: Any, position: int) -> str:
    """Name the ref that a tuple is of; a broken tuple is alone."""
    try:
        file_name, _, box, _ = _parts(row)
    except FieldError:
        return f"broken {position}"
    return f"{file_name} {box[:4]!r:.200}"


def _read_list(path: Path) -> list[Any]:
    """Read what torch.save or pickle wrote, without running what it may carry."""
    is_torch = zipfile.is_zipfile(path) or load_restricted_pickle(path) == _TORCH_MAGIC
    rows = _load_torch(path) if is_torch else load_restricted_pickle(path)
    if not isinstance(rows, list) or not rows:
        raise AnnotationError(f"{path} should hold a list of tuples, not {describe(rows)}")
    return rows


def _load_torch(path: Path) -> Any:
    try:
        return torch.load(path, weights_only=True)
    except Exception as error:  # a broken file makes its parser stumble in any way
        raise pickle.UnpicklingError(
            f"{path} was not read, and nothing that it may carry has run: {error}"
        ) from None
