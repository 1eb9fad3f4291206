"""Read RefCOCO, RefCOCO+, RefCOCOg and RefCLEF: `refs(<split_by>).p` and `instances.json`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vgtoolbox.datasets.annotations.annotation_files import (
    AnnotationError,
    Entry,
    describe,
    expect,
    expect_items,
    read_annotations_file,
)
from vgtoolbox.datasets.annotations.coco_instances import COCOInstances
from vgtoolbox.datasets.base import GroundingDataset
from vgtoolbox.datasets.records import Record
from vgtoolbox.registry import DATASETS
from vgtoolbox.utils.choices import did_you_mean

Ref = dict[str, Any]


@DATASETS.register_module()
@dataclass(kw_only=True, eq=False, repr=False)
class RefCOCODataset(GroundingDataset):
    """Expressions that name one target each.

    The `file_name` of a ref (`COCO_train2014_000000581857_16.jpg`) is not the name of an image: it
    ends with the annotation's number. Images are looked up by `image_id` in `instances.json`.

    Args:
        split: Name of the split: train, val, test, testA, testB or testC, if the file contains it.
            Refs of RefCLEF may be in several test splits, as "testAB", and belong to each.
        split_by: Name of the division into splits: unc (RefCOCO, RefCOCO+, RefCLEF), umd or google
            (RefCOCOg), berkeley (RefCLEF).

    The other arguments are those of `GroundingDataset`.
    """

    split_by: str = "unc"

    @property
    def refs_names(self) -> tuple[str, ...]:
        """Published file names of the refs, the preferred one first."""
        return (f"refs({self.split_by}).p",)

    def target_ids(self, ref: Ref) -> Sequence[Any]:
        """Return the annotation ids of the ref's targets."""
        return [expect(ref, "ann_id", int)]

    def targets_file(self, entry: Entry) -> Path:
        """Return the path of `instances.json`."""
        return self._instances.path

    def read_entries(self) -> Iterator[Entry]:
        """Yield the refs of the split, in the order of the file."""
        refs_file = self.find_file(*self.refs_names, companions=("instances.json",))
        refs = read_annotations_file(refs_file)
        if not isinstance(refs, list):
            raise AnnotationError(f"{refs_file} must be a list of refs, got {describe(refs)}")
        entries = [Entry(refs_file, f"ref {_name(ref, i)}", ref) for i, ref in enumerate(refs)]
        broken = [entry for entry in entries if not _has_split(entry.value)]
        selected = [e for e in entries if _has_split(e.value) and self._selects(e.value["split"])]
        if not selected:
            present = sorted({e.value["split"] for e in entries if _has_split(e.value)})
            raise AnnotationError(
                f"{refs_file} has no split {self.split!r}; it has: {', '.join(present) or 'none'}"
                + did_you_mean(self.split, present)
            )
        self._instances = COCOInstances(refs_file.with_name("instances.json"))
        self._images: dict[Any, Record] = {}
        yield from broken
        yield from selected
        del self._instances, self._images

    def parse_data_info(self, raw_data_info: Ref) -> Record | None:
        """Return the record of a ref, or `None` if it has no sentences."""
        ref = raw_data_info
        expect(ref, "split", str)
        ref_id = expect(ref, "ref_id", int | str)
        sentences = expect_items(ref, "sentences", dict)
        if not sentences:  # gRefCOCO has such refs, which its own loader drops
            return None
        ids = [expect(sentence, "sent_id", int | str) for sentence in sentences]
        image_id = expect(ref, "image_id", int | str)
        if image_id not in self._images:
            self._images[image_id] = self._about_image(image_id)
        targets = [self._instances.target(ann_id) for ann_id in self.target_ids(ref)]
        return {
            **self._images[image_id],
            "sample_id": str(ref_id),
            "split": self.split,
            "expressions": [_text(sentence) for sentence in sentences],
            "expression_ids": [f"{ref_id}_{sent_id}" for sent_id in ids],
            "targets": targets,
        }

    def _about_image(self, image_id: int | str) -> Record:
        image = self._instances.image(image_id)
        return {
            "img_path": self.image_path(image["file_name"]),
            "image_id": image_id,
            "height": image["height"],
            "width": image["width"],
        }

    def _selects(self, split: str) -> bool:
        """Return whether refs of `split` belong to this one; "testAB" is in testA and testB."""
        is_lettered = self.split in ("testA", "testB", "testC")
        return split == self.split or (
            is_lettered and split.startswith("test") and self.split[-1] in split[len("test") :]
        )


def _name(ref: Any, position: int) -> str:
    """Return the name of a ref in messages, which may be of any type."""
    has_id = isinstance(ref, dict) and isinstance(ref.get("ref_id"), int | str)
    return str(ref["ref_id"]) if has_id else f"at position {position}"


def _has_split(ref: Any) -> bool:
    return isinstance(ref, dict) and isinstance(ref.get("split"), str)


def _text(sentence: dict[str, Any]) -> str:
    """Return the annotator's text; files derived from the official ones lack `raw`."""
    return expect(sentence, "raw", str) if sentence.get("raw") else expect(sentence, "sent", str)
