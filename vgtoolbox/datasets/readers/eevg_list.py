"""Read the lists of EEVG and PLVL: `<name>/<name>_<split>.pth`, one tuple per sentence."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    Entry,
    FieldError,
    check_parts,
    describe,
    expect_box,
    expect_segmentation,
    expect_value,
    read_annotations_pickle,
)
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.records import Record, image_id_of
from vgtoolbox.registry import DATASETS
from vgtoolbox.utils.restricted_pickle import RefusedPickleError
from vgtoolbox.utils.torch_files import load_torch_file
from vgtoolbox.utils.values import are_numbers

Row: TypeAlias = tuple[Any, ...]

_WITH_CORNERS = ("referit", "flickr")
"""Lists whose boxes are x1, y1, x2, y2; boxes of other lists are x, y, width, height."""
_DEPTH = 3  # lists, tuples, boxes with polygons
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C
"""Number at the beginning of files in the older of torch.save's two formats."""


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class EEVGListDataset(GroundingDataset):
    """Phrases with one box each (EEVG, PLVL): RefCOCO family, ReferIt, Flickr30k, Visual Genome.

    A tuple is (image file, source, box and polygons, phrase, attributes), or, for Flickr30k
    Entities, (image file, box, phrase). The phrases of one box of an image form a ref. Lists
    without polygons have no masks: read them with `LoadTargets(with_masks=False)`.

    Args:
        name: Name of the folder in `ann_root`: unc, unc+, gref_umd, gref, referit, flickr,
            mixed_coco or mixed_pretrain.
        split: Name of the split: train, val, test, testA, testB or trainval. If there is no list
            for trainval, the lists of train and val are read.
        image_root: Folder of the images, or one per source: `{"coco": ..., "flickr": ...,
            "vg": ...}`.

    The other arguments are those of `GroundingDataset`.
    """

    name: str

    def read_entries(self) -> Iterator[Entry]:
        """Yield lists of (position, tuple): one tuple each, or all of a box if grouped by ref."""
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
        """Return the record of a ref."""
        parts = [_parts(row) for _, row in raw_data_info]
        file_name, source, box, _ = parts[0]
        if not all(are_numbers(part if isinstance(part, list | tuple) else [part]) for part in box):
            self._target(box, 0)  # raises the error that describes the box
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
        polygons = expect_segmentation(box[4:], "the list after the box")
        return {"bbox": [x, y, *extent], "segmentation": polygons, "ann_id": number}

    def _files(self) -> list[Path]:
        """Return the file of the split, or the two of trainval."""
        name = f"{self.name}/{self.name}_{{}}.pth"
        if self.split == "trainval" and not (self.ann_dir / name.format("trainval")).is_file():
            return [self.find_file(name.format(split)) for split in ("train", "val")]
        return [self.find_file(name.format(self.split))]


def _parts(row: Any) -> tuple[str, str, list[Any], str]:
    """Return (image file, source, box with polygons, phrase) of a tuple."""
    if not isinstance(row, tuple | list) or len(row) not in (3, 5):
        raise FieldError(f"it must be a tuple of 5, or of 3 for Flickr30k, got {describe(row)}")
    file_name, source, box, phrase = (row[0], "flickr", *row[1:]) if len(row) == 3 else row[:4]
    return (
        expect_value(file_name, "the image file", str),
        expect_value(source, "the source", str),
        list(expect_value(box, "the box", list | tuple)),
        expect_value(phrase, "the phrase", str),
    )


def _box_name(row: Any, position: int) -> str:
    """Return a name for the ref of a tuple; a broken tuple is its own ref."""
    try:
        file_name, _, box, _ = _parts(row)
    except FieldError:
        return f"broken {position}"
    return f"{file_name} {box[:4]}" if are_numbers(box[:4]) else f"broken {position}"


def _read_list(path: Path) -> list[Any]:
    """Read a file written by torch.save or pickle, without running code in it."""
    rows = _TORCH_MAGIC if _is_zip(path) else read_annotations_pickle(path, depth=_DEPTH)
    if type(rows) is int and rows == _TORCH_MAGIC:
        rows = _load_torch(path)
        check_parts(rows, path, depth=_DEPTH)
    if not isinstance(rows, list) or not rows:
        raise AnnotationError(f"{path} must be a list of tuples, got {describe(rows)}")
    return rows


def _is_zip(path: Path) -> bool:
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # a zip file with a broken directory
        return True


def _load_torch(path: Path) -> Any:
    try:
        return load_torch_file(path)
    except RefusedPickleError as error:
        raise RefusedPickleError(f"{path} was not read: {error}") from None
    except Exception as error:  # a broken file raises errors of many types
        raise AnnotationError(f"{path} is not readable; no code in it has run: {error}") from None
