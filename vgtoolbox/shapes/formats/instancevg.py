"""Write annotations as InstanceVG released them: SeqTR-style JSON, split -> list of items."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from vgtoolbox.shapes.formats.corner_cases import vary_spelling
from vgtoolbox.shapes.formats.refs import MAX_NEGATIVES, unc_split
from vgtoolbox.shapes.formats.world_annotations import Json, WorldAnnotations
from vgtoolbox.shapes.writer import NO_TARGET_ID, write_json

Splits = dict[str, list[Json]]


def write_instancevg(folder: Path, world: WorldAnnotations) -> None:
    """Write `seqtr_type/annotations/{mixed-seg,grefs,ref-zom,rrefcoco}/...json`."""
    rrefcoco, groups = _rrefcoco(world)
    files = {
        "mixed-seg/instances_nogoogle.json": _mixed_seg(world),
        "grefs/instances.json": _grefs(world, unc_split),
        "ref-zom/instance.json": _refzom(world),
        "rrefcoco/instance.json": rrefcoco,
        "rrefcoco/instance_index.json": groups,
    }
    for name, splits in files.items():
        path = folder / "seqtr_type" / "annotations" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, splits)


def _mixed_seg(world: WorldAnnotations) -> Splits:
    """Return RefCOCO, RefCOCO+ and RefCOCOg with a joint train split and separate test splits."""
    splits: Splits = {"train": []}
    for benchmark in ("refcoco_unc", "refcocoplus_unc", "refcocog_umd"):
        for ref in world.single_refs():
            is_unc = benchmark.endswith("unc")
            split = unc_split(ref) if is_unc else ref["split"]
            if split == "train":
                splits["train"].append(_mixed_item(ref, ref["sentences"], world))
            else:
                items = splits.setdefault(f"{split}_{benchmark}", [])
                items += [_mixed_item(ref, [said], world) for said in ref["sentences"]]
    return splits


def _mixed_item(ref: Json, sentences: Iterable[Json], world: WorldAnnotations) -> Json:
    target = world.varied_annotations[ref["ann_id"][0]]
    height, width = world.size(ref["image_id"])
    return {
        "image_id": ref["image_id"],
        "width": width,
        "height": height,
        "expressions": [vary_spelling(said["raw"], said["sent_id"]) for said in sentences],
        "bbox": target["bbox"],
        "mask": target["segmentation"],
    }


def _grefs(world: WorldAnnotations, split_of: Callable[[Json], str]) -> Splits:
    """Return items with all sentences of a ref in train, and with one sentence in other splits."""
    splits: Splits = {}
    for ref in world.grefs:
        split = split_of(ref)
        if split == "train":
            splits.setdefault(split, []).append(_item(ref, ref["sentences"], world))
        else:
            items = splits.setdefault(split, [])
            items += [_item(ref, [said], world) for said in ref["sentences"]]
    return splits


def _item(ref: Json, sentences: list[Json], world: WorldAnnotations) -> Json:
    """Return an item of `grefs`, whose `raw` is a text or a list of texts."""
    height, width = world.size(ref["image_id"])
    texts = [vary_spelling(said["raw"], said["sent_id"]) for said in sentences]
    return {
        "image_id": ref["image_id"],
        "width": width,
        "height": height,
        "expressions": {"raw": texts[0] if len(texts) == 1 else texts},
        "annotations": _targets(ref, world),
    }


def _targets(ref: Json, world: WorldAnnotations) -> list[Json]:
    """Return the targets; no target is represented by an item of nulls with category -1."""
    if ref["no_target"]:
        return [{"bbox": None, "segmentation": None, "category_id": NO_TARGET_ID}]
    return [
        {
            "bbox": item["bbox"],
            "segmentation": world.varied_annotations[item["id"]]["segmentation"],
            "category_id": item["category_id"],
        }
        for item in world.targets(ref)
    ]


def _refzom(world: WorldAnnotations) -> Splits:
    """Return items with the `file_name` of their image: Ref-ZOM mixes train2014 and val2014."""
    splits = _grefs(world, lambda ref: ref["split"])
    del splits["val"]
    return {
        split: [_with_file_name(item, world) for item in items] for split, items in splits.items()
    }


def _rrefcoco(world: WorldAnnotations) -> tuple[Splits, dict[str, list[list[int]]]]:
    """Return R-RefCOCO, whose items are lists of dicts, and the groups of items in val."""
    splits: Splits = {"train": []}
    groups: dict[str, list[list[int]]] = {}
    for benchmark in ("rrefcoco", "rrefcoco+", "rrefcocog"):
        split = f"val_{benchmark}"
        items, ends = splits.setdefault(split, []), groups.setdefault(split, [])
        for ref in world.single_refs("train"):
            splits["train"].append(_positives_and_negatives(ref, world))  # type: ignore[arg-type]
        for ref in world.single_refs("val"):
            first = len(items)
            items += [[item] for item in _positives_and_negatives(ref, world)]  # type: ignore[misc]
            ends.append([first, len(items)])
    return splits, groups


def _positives_and_negatives(ref: Json, world: WorldAnnotations) -> list[Json]:
    no_target = {**ref, "no_target": True}
    negatives = world.negatives.get(ref["image_id"], [])[:MAX_NEGATIVES]
    items = [_item(ref, [said], world) for said in ref["sentences"]]
    items += [_item(no_target, [said], world) for said in negatives]
    return [_with_file_name(item, world) for item in items]


def _with_file_name(item: Json, world: WorldAnnotations) -> Json:
    return {**item, "file_name": world.images[item["image_id"]]["file_name"]}
