"""The raw files of a bundle, as `mending` changes them: a class for each way of holding targets."""

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
    expect,
    expect_box,
    expect_items,
    expect_segmentation,
    read_annotations_file,
)
from vgtoolbox.preparation.targets import Target, mend_target

Json = dict[str, Any]
Note = Callable[[str, str], None]


class RawFiles(ABC):
    """The files in a folder, which is a copy: they are changed in place.

    Args:
        folder: Where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def repair_targets(self, note: Note) -> None:
        """Repair boxes and masks, drop expressions without words; tell `note` where and what."""

    @abstractmethod
    def leave_out(self, entries: list[Entry]) -> None:
        """Remove annotations that a reader of these files has yielded."""


class RefsAndInstances(RawFiles):
    """Refs, in a pickle or JSON, beside `instances.json`."""

    def repair_targets(self, note: Note) -> None:
        """Repair the annotations of `instances.json` and drop empty sentences of refs."""
        path = self.folder / "instances.json"
        instances = read_annotations_file(path)
        sizes = {image.get("id"): _size(image) for image in expect_items(instances, "images", dict)}
        kept = []
        for annotation in expect_items(instances, "annotations", dict):
            where, size = (
                f"annotation {annotation.get('id')}",
                sizes.get(annotation.get("image_id")),
            )
            mended = _mend(annotation, "segmentation", size, where, note)
            kept += [] if mended is None else [mended]
        _write(path, {**instances, "annotations": kept})
        for refs_file in self._refs_files():
            refs = read_annotations_file(refs_file)
            _write(refs_file, [_drop_empty(ref, note) for ref in refs])

    def leave_out(self, entries: list[Entry]) -> None:
        """Remove refs."""
        for path in {entry.file for entry in entries}:
            refused = [entry.value for entry in entries if entry.file == path]
            refs = read_annotations_file(path)
            _write(path, [ref for ref in refs if ref not in refused])

    def _refs_files(self) -> list[Path]:
        files = [*self.folder.glob("*.p"), *self.folder.glob("grefs*.json")]
        return sorted(files)


class SplitsOfItems(RawFiles):
    """JSON that maps splits to items with their own targets (InstanceVG)."""

    def repair_targets(self, note: Note) -> None:
        """Repair `bbox` and `mask`, or those of `annotations`; a target that is lost goes."""
        for path in self._files():
            splits = read_annotations_file(path)
            for split, items in splits.items():
                for position, item in enumerate(items):
                    for part in item if isinstance(item, list) else [item]:
                        self._mend_part(part, f"split {split!r}, item {position}", note)
            _write(path, splits)

    def leave_out(self, entries: list[Entry]) -> None:
        """Remove items, and move the groups of `instance_index.json` up."""
        index_path = self.folder / "instance_index.json"
        index = read_annotations_file(index_path) if index_path.is_file() else {}
        for path in {entry.file for entry in entries}:
            refused = [entry.value[1] for entry in entries if entry.file == path]
            splits = read_annotations_file(path)
            for split, items in splits.items():
                stays = [item not in refused for item in items]
                splits[split] = [item for item, keep in zip(items, stays, strict=True) if keep]
                if split in index:
                    index[split] = _move_up(index[split], stays)
            _write(path, splits)
        if index:
            _write(index_path, index)

    def _files(self) -> list[Path]:
        files = sorted(self.folder.glob("*.json"))
        return [path for path in files if path.name != "instance_index.json"]

    def _mend_part(self, part: Json, where: str, note: Note) -> None:
        size = _size(part)
        if size is None:  # the reader will refuse it, and say why
            return
        if "annotations" not in part:
            mended = _mend(part, "mask", size, where, note)
            part["bbox"] = None if mended is None else mended["bbox"]
            part["mask"] = None if mended is None else mended["mask"]
            return
        for annotation in objects_in(part["annotations"]):
            if annotation.get("bbox") is not None:
                mended = _mend(annotation, "segmentation", size, where, note)
                # Without its box an annotation would say that nothing is named: it is broken.
                annotation |= {"bbox": []} if mended is None else mended


class QuestionFiles(RawFiles):
    """An annotation file for each image, beside it (ReasonSeg)."""

    def repair_targets(self, note: Note) -> None:
        """Do nothing: shapes are painted, and what leaves the image is not there."""

    def leave_out(self, entries: list[Entry]) -> None:
        """Remove annotation files, and their images."""
        for entry in entries:
            entry.file.unlink()
            entry.file.with_suffix(".jpg").unlink(missing_ok=True)


FORMATS: Final[Mapping[str, type[RawFiles]]] = MappingProxyType(
    {
        "RefCOCODataset": RefsAndInstances,
        "GRefCOCODataset": RefsAndInstances,
        "RefZOMDataset": RefsAndInstances,
        "RRefCOCODataset": RefsAndInstances,
        "FPRefCOCODataset": RefsAndInstances,
        "InstanceVGJsonDataset": SplitsOfItems,
        "ReasonSegDataset": QuestionFiles,
    }
)
"""Reader -> how its files are changed."""


def _mend(
    holder: Json, mask_key: str, size: tuple[int, int] | None, where: str, note: Note
) -> Json | None:
    """Return `holder` with its target mended, None where that is lost."""
    try:
        mask = holder.get(mask_key)
        target: Target = {
            "bbox": expect_box(holder.get("bbox")),
            "segmentation": None if mask is None else expect_segmentation(mask),
        }
    except FieldError as error:
        note(where, f"left out: {error}")
        return None
    if size is None:
        note(where, "left out: the size of its image is not told")
        return None
    mended, done = mend_target(target, size)
    for text in done:
        note(where, text)
    if mended is None or not done:
        return None if mended is None else holder
    return {**holder, "bbox": mended["bbox"], mask_key: mended["segmentation"]}


def _drop_empty(ref: Json, note: Note) -> Json:
    """Return a ref without the sentences that have no words."""
    said = objects_in(ref.get("sentences")) if isinstance(ref, dict) else []
    kept = [sentence for sentence in said if _has_words(sentence)]
    if len(kept) == len(said):
        return ref
    note(f"ref {ref.get('ref_id')}", "sentence without words dropped")
    return {**ref, "sentences": kept, "sent_ids": [s.get("sent_id") for s in kept]}


def _has_words(sentence: Json) -> bool:
    """Tell whether there is something to read, or something that is no text at all."""
    text = sentence.get("raw") or sentence.get("sent")
    return not isinstance(text, str) or bool(text.strip())


def _size(entry: Any) -> tuple[int, int] | None:
    """Return (H, W), None where the entry does not tell it as its format says."""
    try:
        return expect(entry, "height", int), expect(entry, "width", int)
    except FieldError:
        return None


def objects_in(value: Any) -> list[Json]:
    """Return the objects of a list; of anything else, none."""
    items = value if isinstance(value, list | tuple) else []
    return [item for item in items if isinstance(item, dict)]


def _move_up(groups: Iterable[list[int]], stays: list[bool]) -> list[list[int]]:
    """Return [first, behind the last] of each group where some items are gone."""
    before = [sum(stays[:position]) for position in range(len(stays) + 1)]
    moved = [[before[first], before[last]] for first, last in groups]
    return [group for group in moved if group[0] < group[1]]


def _write(path: Path, content: Any) -> None:
    if path.suffix == ".p":
        path.write_bytes(pickle.dumps(content, protocol=2))
    else:
        path.write_text(json.dumps(content), encoding="utf-8")
