"""InstanceVG's released annotations, SeqTR-type: JSON that maps a split to a list of items."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from vgtoolbox.shapes.formats.corner_cases import odd_spelling
from vgtoolbox.shapes.formats.refs import MAX_NEGATIVES, person_or_thing
from vgtoolbox.shapes.formats.tables import Json, WorldTables
from vgtoolbox.shapes.writer import NO_TARGET_ID, write_json

Splits = dict[str, list[Json]]


def write_instancevg(folder: Path, tables: WorldTables) -> None:
    """Write `seqtr_type/annotations/{mixed-seg,grefs,ref-zom,rrefcoco}/...json`."""
    robust, groups = _robust(tables)
    files = {
        "mixed-seg/instances_nogoogle.json": _mixed(tables),
        "grefs/instances.json": _generalised(tables, person_or_thing),
        "ref-zom/instance.json": _zero_one_many(tables),
        "rrefcoco/instance.json": robust,
        "rrefcoco/instance_index.json": groups,
    }
    for name, splits in files.items():
        path = folder / "seqtr_type" / "annotations" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, splits)


def _mixed(tables: WorldTables) -> Splits:
    """RefCOCO, RefCOCO+ and RefCOCOg one after the other in train; each with its own tests."""
    splits: Splits = {"train": []}
    for benchmark in ("refcoco_unc", "refcocoplus_unc", "refcocog_umd"):
        for ref in tables.single_refs():
            is_unc = benchmark.endswith("unc")
            split = person_or_thing(ref) if is_unc else ref["split"]
            if split == "train":
                splits["train"].append(_mixed_item(ref, ref["sentences"], tables))
            else:
                items = splits.setdefault(f"{split}_{benchmark}", [])
                items += [_mixed_item(ref, [said], tables) for said in ref["sentences"]]
    return splits


def _mixed_item(ref: Json, sentences: Iterable[Json], tables: WorldTables) -> Json:
    target = tables.odd_annotations[ref["ann_id"][0]]
    height, width = tables.size(ref["image_id"])
    return {
        "image_id": ref["image_id"],
        "width": width,
        "height": height,
        "expressions": [odd_spelling(said["raw"], said["sent_id"]) for said in sentences],
        "bbox": target["bbox"],
        "mask": target["segmentation"],
    }


def _generalised(tables: WorldTables, split_of: Callable[[Json], str]) -> Splits:
    """All sentences in train, one an item elsewhere."""
    splits: Splits = {}
    for ref in tables.grefs:
        split = split_of(ref)
        if split == "train":
            splits.setdefault(split, []).append(_item(ref, ref["sentences"], tables))
        else:
            items = splits.setdefault(split, [])
            items += [_item(ref, [said], tables) for said in ref["sentences"]]
    return splits


def _item(ref: Json, sentences: list[Json], tables: WorldTables) -> Json:
    """Return an item of `grefs`: `raw` is a text, or a list of them."""
    height, width = tables.size(ref["image_id"])
    texts = [odd_spelling(said["raw"], said["sent_id"]) for said in sentences]
    return {
        "image_id": ref["image_id"],
        "width": width,
        "height": height,
        "expressions": {"raw": texts[0] if len(texts) == 1 else texts},
        "annotations": _targets(ref, tables),
    }


def _targets(ref: Json, tables: WorldTables) -> list[Json]:
    """Return the targets; where there is none, one of nulls with category -1 stands for that."""
    if ref["no_target"]:
        return [{"bbox": None, "segmentation": None, "category_id": NO_TARGET_ID}]
    return [
        {
            "bbox": item["bbox"],
            "segmentation": tables.odd_annotations[item["id"]]["segmentation"],
            "category_id": item["category_id"],
        }
        for item in tables.targets(ref)
    ]


def _zero_one_many(tables: WorldTables) -> Splits:
    """Ref-ZOM's items find their image by `file_name`, for it mixes train2014 and val2014."""
    splits = _generalised(tables, lambda ref: ref["split"])
    del splits["val"]
    return {split: [_named(item, tables) for item in items] for split, items in splits.items()}


def _robust(tables: WorldTables) -> tuple[Splits, dict[str, list[list[int]]]]:
    """R-RefCOCO: an item is a list of dicts; the index tells which items of val are one group."""
    splits: Splits = {"train": []}
    groups: dict[str, list[list[int]]] = {}
    for benchmark in ("rrefcoco", "rrefcoco+", "rrefcocog"):
        split = f"val_{benchmark}"
        items, ends = splits.setdefault(split, []), groups.setdefault(split, [])
        for ref in tables.single_refs("train"):
            splits["train"].append(_positives_and_negatives(ref, tables))  # type: ignore[arg-type]
        for ref in tables.single_refs("val"):
            first = len(items)
            items += [[item] for item in _positives_and_negatives(ref, tables)]  # type: ignore[misc]
            ends.append([first, len(items)])
    return splits, groups


def _positives_and_negatives(ref: Json, tables: WorldTables) -> list[Json]:
    nothing = {**ref, "no_target": True}
    untrue = tables.negatives.get(ref["image_id"], [])[:MAX_NEGATIVES]
    items = [_item(ref, [said], tables) for said in ref["sentences"]]
    items += [_item(nothing, [said], tables) for said in untrue]
    return [_named(item, tables) for item in items]


def _named(item: Json, tables: WorldTables) -> Json:
    return {**item, "file_name": tables.images[item["image_id"]]["file_name"]}
