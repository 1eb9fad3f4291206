"""Write the lists of EEVG and PLVL: `<name>/<name>_<split>.pth` with one tuple per sentence.

A tuple is (image file, data source, box and polygons, phrase, attributes), or for Flickr30k
Entities (image file, box, phrase). Lists of Visual Genome and Flickr30k have no polygons.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from vgtoolbox.shapes.formats.corner_cases import vary_spelling
from vgtoolbox.shapes.formats.refs import unc_split
from vgtoolbox.shapes.formats.world_annotations import Json, WorldAnnotations

Rows = list[tuple[Any, ...]]
IMAGE_FOLDERS = {
    "flickr": "Flickr30k/flickr30k_images",
    "flickr of a mixture": "flickr30k",
    "vg": "visual-genome/VG_100K",
}
"""Folders of the image copies, so that each source has its own."""
_COPIES = 60
"""Number of images per split that are copied."""


def write_eevg_lists(folder: Path, world: WorldAnnotations) -> None:
    """Write `mask_data/<name>/<name>_<split>.pth` and the images in `image_data/`."""
    unc, umd = _by_split(world, unc=True), _by_split(world, unc=False)
    lists = {
        "unc": {split: _coco(refs, world) for split, refs in unc.items()},
        "unc+": {split: _coco(refs, world) for split, refs in unc.items()},
        "gref_umd": {split: _coco(refs, world) for split, refs in umd.items()},
        "gref": {split: _coco(umd[split], world) for split in ("train", "val")},
        "referit": {split: _referit(refs, world) for split, refs in umd.items()},
        "flickr": {split: _flickr(_copied(refs), world) for split, refs in umd.items()},
        "mixed_coco": {split: _coco(umd[split], world) for split in ("train", "val")},
        "mixed_pretrain": {split: _mixed_pretrain(umd[split], world) for split in ("train", "val")},
    }
    # The official list has a file for the combined split; the others are combined when read.
    lists["referit"]["trainval"] = lists["referit"]["train"] + lists["referit"]["val"]
    for name, splits in lists.items():
        (folder / "mask_data" / name).mkdir(parents=True)
        for split, rows in splits.items():
            _write(folder / "mask_data" / name / f"{name}_{split}.pth", rows)
    images = {ref["image_id"] for refs in umd.values() for ref in _copied(refs)}
    _copy_images(folder / "image_data", images, world)


def _by_split(world: WorldAnnotations, *, unc: bool) -> dict[str, list[Json]]:
    splits: dict[str, list[Json]] = {}
    for ref in world.single_refs():
        splits.setdefault(unc_split(ref) if unc else ref["split"], []).append(ref)
    return splits


def _coco(refs: Iterable[Json], world: WorldAnnotations) -> Rows:
    return [
        (_file(ref, world), "coco", _box(target) + _parts(target), phrase, "")
        for ref, target, phrase in _sentences(refs, world)
    ]


def _referit(refs: Iterable[Json], world: WorldAnnotations) -> Rows:
    return [
        (_file(ref, world), "referit", _corners(target) + _parts(target), phrase, "")
        for ref, target, phrase in _sentences(refs, world)
    ]


def _flickr(refs: Iterable[Json], world: WorldAnnotations) -> Rows:
    return [
        (_file(ref, world), _corners(target), phrase)
        for ref, target, phrase in _sentences(refs, world)
    ]


def _mixed_pretrain(refs: list[Json], world: WorldAnnotations) -> Rows:
    """Return COCO with polygons, then Flickr30k and Visual Genome with boxes only, all xywh."""
    rows = _coco(refs, world)
    for source, prefix in (("flickr", ""), ("vg", "VG_100K/")):
        rows += [
            (prefix + _file(ref, world), source, _box(target), phrase, "")
            for ref, target, phrase in _sentences(_copied(refs), world)
        ]
    return rows


def _copied(refs: list[Json]) -> list[Json]:
    """Return the refs of the first images, which are copied."""
    images = list(dict.fromkeys(ref["image_id"] for ref in refs))[:_COPIES]
    return [ref for ref in refs if ref["image_id"] in set(images)]


def _sentences(refs: Iterable[Json], world: WorldAnnotations) -> Iterator[tuple[Json, Json, str]]:
    for ref in refs:
        target = world.varied_annotations[ref["ann_id"][0]]
        for said in ref["sentences"]:
            yield ref, target, vary_spelling(said["raw"], said["sent_id"])


def _file(ref: Json, world: WorldAnnotations) -> str:
    return world.images[ref["image_id"]]["file_name"]


def _box(annotation: Json) -> list[Any]:
    return list(annotation["bbox"])


def _corners(annotation: Json) -> list[Any]:
    x, y, w, h = annotation["bbox"]
    return [x, y, x + w, y + h]


def _parts(annotation: Json) -> list[Any]:
    """Return the values that follow the box: polygons, or one RLE."""
    segmentation = annotation["segmentation"]
    return segmentation if isinstance(segmentation, list) else [segmentation]


def _write(path: Path, rows: Rows) -> None:
    """Write with the legacy or the current serialization of torch; both are in use."""
    torch.save(rows, path, _use_new_zipfile_serialization=not path.stem.startswith("flickr"))


def _copy_images(folder: Path, image_ids: Iterable[int], world: WorldAnnotations) -> None:
    for place in IMAGE_FOLDERS.values():
        (folder / place).mkdir(parents=True)
        for image_id in sorted(image_ids):
            name = world.images[image_id]["file_name"]
            shutil.copyfile(world.image_folder / name, folder / place / name)
