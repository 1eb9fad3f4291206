"""Repairers of annotation files, one class per format."""

from __future__ import annotations

import json
import pickle
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from vgtoolbox.datasets.annotations.annotation_files import (
    Entry,
    FieldError,
    dicts_in,
    expect,
    expect_box,
    expect_items,
    expect_segmentation,
    read_annotations_file,
)
from vgtoolbox.datasets.readers.reasonseg import annotation_stem, images_of_stem
from vgtoolbox.preparation.targets import Target, repair_target

Json = dict[str, Any]
Log = Callable[[str, str], None]


class AnnotationRepairer(ABC):
    """Base class of repairers, which modify the files of a folder in place.

    Args:
        folder: Folder of the files; a copy of the original.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def repair_targets(self, log: Log) -> None:
        """Repair boxes and masks, and drop expressions without words.

        Args:
            log: Function called with the location and a description of each change.
        """

    @abstractmethod
    def remove(self, entries: list[Entry]) -> None:
        """Remove annotations, given as the entries that a reader of these files yielded."""


class RefsRepairer(AnnotationRepairer):
    """Repairer of refs in a pickle or JSON file, next to `instances.json`."""

    def repair_targets(self, log: Log) -> None:
        """Repair the annotations of `instances.json`, and drop empty sentences of refs."""
        path = self.folder / "instances.json"
        instances = read_annotations_file(path)
        sizes = {image.get("id"): _size(image) for image in expect_items(instances, "images", dict)}
        kept = []
        for annotation in expect_items(instances, "annotations", dict):
            location = f"annotation {annotation.get('id')}"
            size = sizes.get(annotation.get("image_id"))
            repaired = _repair_target_of(annotation, "segmentation", size, location, log)
            kept += [] if repaired is None else [repaired]
        _write(path, {**instances, "annotations": kept})
        for refs_file in self._refs_files():
            refs = read_annotations_file(refs_file)
            _write(refs_file, [_drop_empty_sentences(ref, log) for ref in refs])

    def remove(self, entries: list[Entry]) -> None:
        """Remove refs."""
        for path in {entry.file for entry in entries}:
            removed = [entry.value for entry in entries if entry.file == path]
            refs = read_annotations_file(path)
            _write(path, [ref for ref in refs if ref not in removed])

    def _refs_files(self) -> list[Path]:
        files = [*self.folder.glob("*.p"), *self.folder.glob("grefs*.json")]
        return sorted(files)


class InstanceVGRepairer(AnnotationRepairer):
    """Repairer of JSON files that map splits to items with targets (InstanceVG)."""

    def repair_targets(self, log: Log) -> None:
        """Repair `bbox` and `mask` of items, or those of their `annotations`."""
        for path in self._files():
            splits = read_annotations_file(path)
            for split, items in splits.items():
                for position, item in enumerate(items):
                    for part in item if isinstance(item, list) else [item]:
                        self._repair_part(part, f"split {split!r}, item {position}", log)
            _write(path, splits)

    def remove(self, entries: list[Entry]) -> None:
        """Remove items, and update the groups of `instance_index.json`."""
        index_path = self.folder / "instance_index.json"
        index = read_annotations_file(index_path) if index_path.is_file() else {}
        for path in {entry.file for entry in entries}:
            removed = [entry.value[1] for entry in entries if entry.file == path]
            splits = read_annotations_file(path)
            for split, items in splits.items():
                kept = [item not in removed for item in items]
                splits[split] = [item for item, keep in zip(items, kept, strict=True) if keep]
                if split in index:
                    index[split] = _update_groups(index[split], kept)
            _write(path, splits)
        if index:
            _write(index_path, index)

    def _files(self) -> list[Path]:
        files = sorted(self.folder.glob("*.json"))
        return [path for path in files if path.name != "instance_index.json"]

    def _repair_part(self, part: Json, location: str, log: Log) -> None:
        size = _size(part)
        if size is None:  # the reader will reject it with a reason
            return
        if "annotations" not in part:
            repaired = _repair_target_of(part, "mask", size, location, log)
            part["bbox"] = None if repaired is None else repaired["bbox"]
            part["mask"] = None if repaired is None else repaired["mask"]
            return
        for annotation in dicts_in(part["annotations"]):
            if annotation.get("bbox") is not None:
                repaired = _repair_target_of(annotation, "segmentation", size, location, log)
                # Without a box, the annotation would mean no target; an empty box is rejected.
                annotation |= {"bbox": []} if repaired is None else repaired


class ReasonSegRepairer(AnnotationRepairer):
    """Repairer of annotation files next to their images (ReasonSeg)."""

    def repair_targets(self, log: Log) -> None:
        """Do nothing: shapes are rasterized, so parts outside the image have no effect."""

    def remove(self, entries: list[Entry]) -> None:
        """Remove annotation files and their images."""
        for entry in entries:
            entry.file.unlink()
            for image in images_of_stem(entry.file.parent, annotation_stem(entry.file)):
                image.unlink()


REPAIRERS: Final[Mapping[str, type[AnnotationRepairer]]] = MappingProxyType(
    {
        "RefCOCODataset": RefsRepairer,
        "GRefCOCODataset": RefsRepairer,
        "RefZOMDataset": RefsRepairer,
        "RRefCOCODataset": RefsRepairer,
        "FPRefCOCODataset": RefsRepairer,
        "InstanceVGJsonDataset": InstanceVGRepairer,
        "ReasonSegDataset": ReasonSegRepairer,
    }
)
"""Type of a reader -> repairer of its files."""


def _repair_target_of(
    item: Json, mask_key: str, size: tuple[int, int] | None, location: str, log: Log
) -> Json | None:
    """Return an item with its target repaired; `None` if the target is dropped."""
    try:
        mask = item.get(mask_key)
        target: Target = {
            "bbox": expect_box(item.get("bbox")),
            "segmentation": None if mask is None else expect_segmentation(mask),
        }
    except FieldError as error:
        log(location, f"dropped: {error}")
        return None
    if size is None:
        log(location, "dropped: the size of its image is unknown")
        return None
    repaired, changes = repair_target(target, size)
    for change in changes:
        log(location, change)
    if repaired is None or not changes:
        return None if repaired is None else item
    return {**item, "bbox": repaired["bbox"], mask_key: repaired["segmentation"]}


def _drop_empty_sentences(ref: Json, log: Log) -> Json:
    """Return a ref without its empty sentences."""
    sentences = dicts_in(ref.get("sentences")) if isinstance(ref, dict) else []
    kept = [sentence for sentence in sentences if _has_words(sentence)]
    if len(kept) == len(sentences):
        return ref
    log(f"ref {ref.get('ref_id')}", "sentence without words dropped")
    return {**ref, "sentences": kept, "sent_ids": [s.get("sent_id") for s in kept]}


def _has_words(sentence: Json) -> bool:
    """Return whether a sentence has words; other values than strings are left to the reader."""
    text = sentence.get("raw") or sentence.get("sent")
    return not isinstance(text, str) or bool(text.strip())


def _size(entry: Any) -> tuple[int, int] | None:
    """Return (H, W) of an entry; `None` if they are missing or invalid."""
    try:
        return expect(entry, "height", int), expect(entry, "width", int)
    except FieldError:
        return None


def _update_groups(groups: Iterable[list[int]], kept: list[bool]) -> list[list[int]]:
    """Return the groups [start, end) after items were removed, without empty groups."""
    new_position = [sum(kept[:position]) for position in range(len(kept) + 1)]
    updated = [[new_position[start], new_position[end]] for start, end in groups]
    return [group for group in updated if group[0] < group[1]]


def _write(path: Path, content: Any) -> None:
    if path.suffix == ".p":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        path.write_text(json.dumps(content), encoding="utf-8")
