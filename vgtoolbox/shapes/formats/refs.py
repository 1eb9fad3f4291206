"""The formats of the `refer` family: a pickle or JSON of refs beside `instances.json`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from vgtoolbox.shapes.formats.corner_cases import odd_sentences
from vgtoolbox.shapes.formats.tables import Json, WorldTables
from vgtoolbox.shapes.writer import REF_FILE_NAME, write_json, write_pickle
from vgtoolbox.structures import segmentation_to_rle

_PLACE = re.compile(
    r"\b(left|right|top|bottom|upper|lower|highest|lowest|above|below|over|under|edge|side|"
    r"half|corner|middle|cent(er|re))"
)
MAX_NEGATIVES = 3


class RefTable:
    """Refs in the making: ids count up, sentences get the oddities of the real files."""

    def __init__(self) -> None:
        self.refs: list[Json] = []
        self._next_sentence = 0

    def add(self, about: Json, *, split: str, sentences: Iterable[Json], **fields: Any) -> None:
        """Append a ref on the image of `about`; without a sentence there is none.

        Args:
            about: Ref of the world.
            split: Name of the split.
            sentences: What is said.
            fields: The format's own keys, `ann_id` and `category_id` among them.
        """
        odd = odd_sentences(sentences, first_id=self._next_sentence)
        if not odd:
            return
        self._next_sentence += len(odd)
        number = len(self.refs) + 1
        self.refs.append(
            {
                "ref_id": number,
                "image_id": about["image_id"],
                # As published: no image's name.
                "file_name": REF_FILE_NAME.format(image_id=about["image_id"], ann_id=number),
                "split": split,
                "sent_ids": [sentence["sent_id"] for sentence in odd],
                "sentences": odd,
                **fields,
            }
        )


def write_refcoco_plus(folder: Path, tables: WorldTables) -> None:
    """Write RefCOCO+: no sentence speaks of a place (Yu et al., ECCV 2016)."""
    table = RefTable()
    for ref in tables.single_refs():
        said = (s for s in ref["sentences"] if not _PLACE.search(s["sent"]))
        table.add(ref, split=person_or_thing(ref), sentences=said, **_target(ref))
    _write(folder / "refcoco+", {"refs(unc).p": table.refs}, tables.odd_instances())


def write_refcocog(folder: Path, tables: WorldTables) -> None:
    """Write RefCOCOg, split by images (umd) and by objects (google: images are in two splits)."""
    umd, google = RefTable(), RefTable()
    for ref in tables.single_refs():
        umd.add(ref, split=ref["split"], sentences=ref["sentences"], **_target(ref))
        part = "val" if ref["ann_id"][0] % 4 == 0 else "train"
        google.add(ref, split=part, sentences=ref["sentences"], **_target(ref))
    refs = {"refs(umd).p": umd.refs, "refs(google).p": google.refs}
    _write(folder / "refcocog", refs, tables.odd_instances())


def write_refclef(folder: Path, tables: WorldTables) -> None:
    """Write RefCLEF, whose masks are lists of compressed run lengths."""
    unc, berkeley = RefTable(), RefTable()
    for ref in tables.single_refs():
        split = person_or_thing(ref)
        if split == "testB" and ref["ann_id"][0] % 3 == 0:
            split = "testBC"  # in testB, and in testC too
        unc.add(ref, split=split, sentences=ref["sentences"], **_target(ref))
        berkeley.add(ref, split=ref["split"], sentences=ref["sentences"], **_target(ref))
    instances = tables.odd_instances()
    instances["annotations"] = [
        {**item, "segmentation": [_compressed(item, tables)]}
        for item in tables.annotations.values()
    ]
    refs = {"refs(unc).p": unc.refs, "refs(berkeley).p": berkeley.refs}
    _write(folder / "refclef", refs, instances)


def write_grefcoco(folder: Path, tables: WorldTables) -> None:
    """Write gRefCOCO once more, as a pickle, with the splits and the crowds of the real file."""
    table = RefTable()
    for ref in tables.grefs:
        table.add(
            ref,
            split=person_or_thing(ref),
            sentences=ref["sentences"],
            ann_id=ref["ann_id"],
            category_id=ref["category_id"],
            no_target=ref["no_target"],
        )
    _write(folder / "grefcoco-odd", {"grefs(unc).p": table.refs}, tables.odd_instances())


def write_refzom(folder: Path, tables: WorldTables) -> None:
    """Write Ref-ZOM: `source` says zero, one or many; zero has no `ann_id` at all."""
    table = RefTable()
    for ref in tables.grefs:
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
    _write(folder / "ref-zom", {"refs(final).p": table.refs}, tables.odd_instances())


def write_rrefcoco(folder: Path, tables: WorldTables) -> None:
    """Write R-RefCOCO, + and g: each ref's sentences, and some that name nothing (`exist`)."""
    for name, split_by in (("rrefcoco", "unc"), ("rrefcoco+", "unc"), ("rrefcocog", "umd")):
        table = RefTable()
        for ref in tables.single_refs():
            if ref["split"] == "test":  # the benchmark is scored on val
                continue
            said = [{**sentence, "exist": True} for sentence in ref["sentences"]]
            untrue = [{**sentence, "exist": False} for sentence in _negatives(ref, tables)]
            # Sentences of refs without a negative carry no mark at all.
            sentences = said + untrue if untrue else ref["sentences"]
            table.add(ref, split=ref["split"], sentences=sentences, **_target(ref))
        _write(folder / name, {f"refs({split_by}).p": table.refs}, tables.odd_instances())


def write_fprefcoco(folder: Path, tables: WorldTables) -> None:
    """Write FP-RefCOCO, + and g: false premises, each with the true sentence it came from."""
    for name in ("fprefcoco", "fprefcoco+", "fprefcocog"):
        table = RefTable()
        for ref in tables.single_refs():
            if ref["split"] == "test":  # the benchmark is scored on val
                continue
            true = ref["sentences"][0]["sent"]
            said = [{**sentence, "is_false_premise": False} for sentence in ref["sentences"]]
            said += [
                {**sentence, "is_false_premise": True, "gt_sent": true}
                for sentence in _negatives(ref, tables)
            ]
            table.add(ref, split=ref["split"], sentences=said, **_target(ref))
        refs = {"refs(berkeley_exclude_unified).p": table.refs}
        _write(folder / name, refs, tables.odd_instances())


def person_or_thing(ref: Json) -> str:
    """Return the split with test halved into testA and testB by image, as UNC's are."""
    if ref["split"] != "test":
        return ref["split"]
    return "testA" if ref["image_id"] % 2 else "testB"


def _target(ref: Json) -> Json:
    return {"ann_id": ref["ann_id"][0], "category_id": ref["category_id"][0]}


def _negatives(ref: Json, tables: WorldTables) -> list[Json]:
    return tables.negatives.get(ref["image_id"], [])[:MAX_NEGATIVES]


def _compressed(annotation: Json, tables: WorldTables) -> Json:
    rle = segmentation_to_rle(annotation["segmentation"], tables.size(annotation["image_id"]))
    return dict(rle)


def _write(folder: Path, refs: dict[str, list[Json]], instances: Json) -> None:
    folder.mkdir(parents=True)
    for name, table in refs.items():
        write: Callable[[Path, object], None] = write_pickle if name.endswith(".p") else write_json
        write(folder / name, table)
    write_json(folder / "instances.json", instances)
