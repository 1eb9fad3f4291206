"""The lists of EEVG and PLVL: `<name>/<name>_<split>.pth`, a tuple for each sentence.

(image file, data source, box and polygons, phrase, attributes), or for Flickr30k Entities
(image file, box, phrase). Lists of Visual Genome and Flickr30k have no polygons.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from vgtoolbox.shapes.formats.corner_cases import odd_spelling
from vgtoolbox.shapes.formats.refs import person_or_thing
from vgtoolbox.shapes.formats.tables import Json, WorldTables

Rows = list[tuple[Any, ...]]
IMAGE_FOLDERS = {
    "flickr": "Flickr30k/flickr30k_images",
    "flickr of a mixture": "flickr30k",
    "vg": "visual-genome/VG_100K",
}
"""Where copies of images stand, so that each source has a folder of its own."""
_COPIES = 60
"""Images of each split that are copied."""


def write_phrase_lists(folder: Path, tables: WorldTables) -> None:
    """Write `mask_data/<name>/<name>_<split>.pth` and the images in `image_data/`."""
    unc, umd = _by_split(tables, unc=True), _by_split(tables, unc=False)
    lists = {
        "unc": {split: _coco(refs, tables) for split, refs in unc.items()},
        "unc+": {split: _coco(refs, tables) for split, refs in unc.items()},
        "gref_umd": {split: _coco(refs, tables) for split, refs in umd.items()},
        "gref": {split: _coco(umd[split], tables) for split in ("train", "val")},
        "referit": {split: _referit(refs, tables) for split, refs in umd.items()},
        "flickr": {split: _flickr(_few(refs), tables) for split, refs in umd.items()},
        "mixed_coco": {split: _coco(umd[split], tables) for split in ("train", "val")},
        "mixed_pretrain": {split: _mixed(umd[split], tables) for split in ("train", "val")},
    }
    # This list has a file of its own for what the others put together.
    lists["referit"]["trainval"] = lists["referit"]["train"] + lists["referit"]["val"]
    for name, splits in lists.items():
        (folder / "mask_data" / name).mkdir(parents=True)
        for split, rows in splits.items():
            _write(folder / "mask_data" / name / f"{name}_{split}.pth", rows)
    images = {ref["image_id"] for refs in umd.values() for ref in _few(refs)}
    _copy_images(folder / "image_data", images, tables)


def _by_split(tables: WorldTables, *, unc: bool) -> dict[str, list[Json]]:
    splits: dict[str, list[Json]] = {}
    for ref in tables.single_refs():
        splits.setdefault(person_or_thing(ref) if unc else ref["split"], []).append(ref)
    return splits


def _coco(refs: Iterable[Json], tables: WorldTables) -> Rows:
    return [
        (_file(ref, tables), "coco", _box(target) + _parts(target), phrase, "")
        for ref, target, phrase in _sentences(refs, tables)
    ]


def _referit(refs: Iterable[Json], tables: WorldTables) -> Rows:
    return [
        (_file(ref, tables), "referit", _corners(target) + _parts(target), phrase, "")
        for ref, target, phrase in _sentences(refs, tables)
    ]


def _flickr(refs: Iterable[Json], tables: WorldTables) -> Rows:
    return [
        (_file(ref, tables), _corners(target), phrase)
        for ref, target, phrase in _sentences(refs, tables)
    ]


def _mixed(refs: list[Json], tables: WorldTables) -> Rows:
    """COCO with polygons, then Flickr30k and Visual Genome with boxes alone, all as x, y, w, h."""
    rows = _coco(refs, tables)
    for source, prefix in (("flickr", ""), ("vg", "VG_100K/")):
        rows += [
            (prefix + _file(ref, tables), source, _box(target), phrase, "")
            for ref, target, phrase in _sentences(_few(refs), tables)
        ]
    return rows


def _few(refs: list[Json]) -> list[Json]:
    """Return the refs of the first images: those whose images are copied."""
    images = list(dict.fromkeys(ref["image_id"] for ref in refs))[:_COPIES]
    return [ref for ref in refs if ref["image_id"] in set(images)]


def _sentences(refs: Iterable[Json], tables: WorldTables) -> Iterator[tuple[Json, Json, str]]:
    for ref in refs:
        target = tables.odd_annotations[ref["ann_id"][0]]
        for said in ref["sentences"]:
            yield ref, target, odd_spelling(said["raw"], said["sent_id"])


def _file(ref: Json, tables: WorldTables) -> str:
    return tables.images[ref["image_id"]]["file_name"]


def _box(annotation: Json) -> list[Any]:
    return list(annotation["bbox"])


def _corners(annotation: Json) -> list[Any]:
    x, y, w, h = annotation["bbox"]
    return [x, y, x + w, y + h]


def _parts(annotation: Json) -> list[Any]:
    """Return what follows the box: polygons, or one RLE."""
    segmentation = annotation["segmentation"]
    return segmentation if isinstance(segmentation, list) else [segmentation]


def _write(path: Path, rows: Rows) -> None:
    """Write as torch did when the lists were made, or as it does today: both are about."""
    torch.save(rows, path, _use_new_zipfile_serialization=not path.stem.startswith("flickr"))


def _copy_images(folder: Path, image_ids: Iterable[int], tables: WorldTables) -> None:
    for place in IMAGE_FOLDERS.values():
        (folder / place).mkdir(parents=True)
        for image_id in sorted(image_ids):
            name = tables.images[image_id]["file_name"]
            shutil.copyfile(tables.image_folder / name, folder / place / name)
