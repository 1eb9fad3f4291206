"""Write the formats of the `refer` family: refs as pickle or JSON, next to `instances.json`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from vgtoolbox.shapes.formats.corner_cases import vary_sentences
from vgtoolbox.shapes.formats.world_annotations import Json, WorldAnnotations
from vgtoolbox.shapes.writer import REF_FILE_NAME, write_json, write_pickle
from vgtoolbox.structures import segmentation_to_rle

_LOCATION_WORDS = re.compile(
    r"\b(left|right|top|bottom|upper|lower|highest|lowest|above|below|over|under|edge|side|"
    r"half|corner|middle|cent(er|re))"
)
MAX_NEGATIVES = 3


class RefTable:
    """Table of refs with consecutive ids, and with the corner cases of official files."""

    def __init__(self) -> None:
        self.refs: list[Json] = []
        self._next_sentence = 0

    def add(self, original: Json, *, split: str, sentences: Iterable[Json], **fields: Any) -> None:
        """Append a ref about the image of another ref, unless there are no sentences.

        Args:
            original: Ref of the generated dataset.
            split: Name of the split.
            sentences: Sentences of the new ref.
            fields: Other keys of the format, including `ann_id` and `category_id`.
        """
        varied = vary_sentences(sentences, first_id=self._next_sentence)
        if not varied:
            return
        self._next_sentence += len(varied)
        number = len(self.refs) + 1
        self.refs.append(
            {
                "ref_id": number,
                "image_id": original["image_id"],
                # As in the official files, not the file name of an image.
                "file_name": REF_FILE_NAME.format(image_id=original["image_id"], ann_id=number),
                "split": split,
                "sent_ids": [sentence["sent_id"] for sentence in varied],
                "sentences": varied,
                **fields,
            }
        )


def write_refcoco_plus(folder: Path, world: WorldAnnotations) -> None:
    """Write RefCOCO+, whose sentences contain no location words (Yu et al., ECCV 2016)."""
    table = RefTable()
    for ref in world.single_refs():
        said = (s for s in ref["sentences"] if not _LOCATION_WORDS.search(s["sent"]))
        table.add(ref, split=unc_split(ref), sentences=said, **_target(ref))
    _write(folder / "refcoco+", {"refs(unc).p": table.refs}, world.varied_instances())


def write_refcocog(folder: Path, world: WorldAnnotations) -> None:
    """Write RefCOCOg, split by images (umd) and by objects (google, whose splits share images)."""
    umd, google = RefTable(), RefTable()
    for ref in world.single_refs():
        umd.add(ref, split=ref["split"], sentences=ref["sentences"], **_target(ref))
        part = "val" if ref["ann_id"][0] % 4 == 0 else "train"
        google.add(ref, split=part, sentences=ref["sentences"], **_target(ref))
    refs = {"refs(umd).p": umd.refs, "refs(google).p": google.refs}
    _write(folder / "refcocog", refs, world.varied_instances())


def write_refclef(folder: Path, world: WorldAnnotations) -> None:
    """Write RefCLEF, whose masks are lists of compressed RLE."""
    unc, berkeley = RefTable(), RefTable()
    for ref in world.single_refs():
        split = unc_split(ref)
        if split == "testB" and ref["ann_id"][0] % 3 == 0:
            split = "testBC"  # in testB and in testC
        unc.add(ref, split=split, sentences=ref["sentences"], **_target(ref))
        berkeley.add(ref, split=ref["split"], sentences=ref["sentences"], **_target(ref))
    instances = world.varied_instances()
    instances["annotations"] = [
        {**item, "segmentation": [_compressed(item, world)]} for item in world.annotations.values()
    ]
    refs = {"refs(unc).p": unc.refs, "refs(berkeley).p": berkeley.refs}
    _write(folder / "refclef", refs, instances)


def write_grefcoco(folder: Path, world: WorldAnnotations) -> None:
    """Write gRefCOCO again, as a pickle, with the splits and crowds of the official file."""
    table = RefTable()
    for ref in world.grefs:
        table.add(
            ref,
            split=unc_split(ref),
            sentences=ref["sentences"],
            ann_id=ref["ann_id"],
            category_id=ref["category_id"],
            no_target=ref["no_target"],
        )
    _write(folder / "grefcoco-odd", {"grefs(unc).p": table.refs}, world.varied_instances())


def write_refzom(folder: Path, world: WorldAnnotations) -> None:
    """Write Ref-ZOM, with `source` "zero", "one" or "many"; zero has an empty `ann_id`."""
    table = RefTable()
    for ref in world.grefs:
        if ref["split"] == "val":  # Ref-ZOM has train and test
            continue
        ids = [] if ref["no_target"] else ref["ann_id"]
        table.add(
            ref,
            split=ref["split"],
            sentences=ref["sentences"],
            ann_id=ids,
            category_id=[] if ref["no_target"] else ref["category_id"],
            source=("zero", "one", "many")[min(len(ids), 2)],
        )
    _write(folder / "ref-zom", {"refs(final).p": table.refs}, world.varied_instances())


def write_rrefcoco(folder: Path, world: WorldAnnotations) -> None:
    """Write R-RefCOCO, + and g: sentences of each ref, and some without a target (`exist`)."""
    for name, split_by in (("rrefcoco", "unc"), ("rrefcoco+", "unc"), ("rrefcocog", "umd")):
        table = RefTable()
        for ref in world.single_refs():
            if ref["split"] == "test":  # the benchmark is scored on val
                continue
            said = [{**sentence, "exist": True} for sentence in ref["sentences"]]
            negatives = [{**sentence, "exist": False} for sentence in _negatives(ref, world)]
            # Sentences of refs without a negative do not have the key `exist`.
            sentences = said + negatives if negatives else ref["sentences"]
            table.add(ref, split=ref["split"], sentences=sentences, **_target(ref))
        _write(folder / name, {f"refs({split_by}).p": table.refs}, world.varied_instances())


def write_fprefcoco(folder: Path, world: WorldAnnotations) -> None:
    """Write FP-RefCOCO, + and g: false premises with the true sentences that correct them."""
    for name in ("fprefcoco", "fprefcoco+", "fprefcocog"):
        table = RefTable()
        for ref in world.single_refs():
            if ref["split"] == "test":  # the benchmark is scored on val
                continue
            true = ref["sentences"][0]["sent"]
            said = [{**sentence, "is_false_premise": False} for sentence in ref["sentences"]]
            said += [
                {**sentence, "is_false_premise": True, "gt_sent": true}
                for sentence in _negatives(ref, world)
            ]
            table.add(ref, split=ref["split"], sentences=said, **_target(ref))
        refs = {"refs(berkeley_exclude_unified).p": table.refs}
        _write(folder / name, refs, world.varied_instances())


def unc_split(ref: Json) -> str:
    """Return the split of a ref, with test divided into testA and testB by image, as in UNC."""
    if ref["split"] != "test":
        return ref["split"]
    return "testA" if ref["image_id"] % 2 else "testB"


def _target(ref: Json) -> Json:
    return {"ann_id": ref["ann_id"][0], "category_id": ref["category_id"][0]}


def _negatives(ref: Json, world: WorldAnnotations) -> list[Json]:
    return world.negatives.get(ref["image_id"], [])[:MAX_NEGATIVES]


def _compressed(annotation: Json, world: WorldAnnotations) -> Json:
    rle = segmentation_to_rle(annotation["segmentation"], world.size(annotation["image_id"]))
    return dict(rle)


def _write(folder: Path, refs: dict[str, list[Json]], instances: Json) -> None:
    folder.mkdir(parents=True)
    for name, table in refs.items():
        write: Callable[[Path, object], None] = write_pickle if name.endswith(".p") else write_json
        write(folder / name, table)
    write_json(folder / "instances.json", instances)
