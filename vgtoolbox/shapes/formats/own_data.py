"""Write the two formats for custom data: COCO JSON with expressions, and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from vgtoolbox.shapes.formats.corner_cases import vary_spelling
from vgtoolbox.shapes.formats.world_annotations import Json, WorldAnnotations
from vgtoolbox.shapes.scales import SPLITS
from vgtoolbox.shapes.writer import write_json


def write_own_data(folder: Path, world: WorldAnnotations) -> None:
    """Write `own/instances.json` and `own/{train,val,test}.jsonl`."""
    folder = folder / "own"
    folder.mkdir(parents=True)
    coco = _with_expressions(world)
    write_json(folder / "instances.json", coco)
    annotations = {item["id"]: item for item in coco["annotations"]}
    for split in SPLITS:
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
            for line in _lines(split, annotations, world):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")


def _with_expressions(world: WorldAnnotations) -> Json:
    """Return `instances.json` with expressions at annotations (one target) or at groups."""
    coco = world.varied_instances()
    split_of = {ref["image_id"]: ref["split"] for ref in world.grefs}
    coco["images"] = [{**image, "split": split_of[image["id"]]} for image in coco["images"]]
    said: dict[int, list[str]] = {}
    groups = []
    for ref in world.grefs:
        texts = _texts(ref)
        if len(world.targets(ref)) == 1:
            said.setdefault(ref["ann_id"][0], []).extend(texts)
            continue
        groups.append(
            {
                "id": ref["ref_id"],
                "image_id": ref["image_id"],
                "annotation_ids": [] if ref["no_target"] else ref["ann_id"],
                "expressions": texts,
            }
        )
    coco["annotations"] = [
        {**item, "expressions": said[item["id"]]} if item["id"] in said else item
        for item in coco["annotations"]
    ]
    return {**coco, "annotation_groups": groups}


def _lines(split: str, annotations: dict[int, Json], world: WorldAnnotations) -> Iterator[Json]:
    """Yield one line per ref, with boxes and masks, or with masks only (null or empty for none)."""
    for number, ref in enumerate(world.refs_of(split)):
        targets = [annotations[item["id"]] for item in world.targets(ref)]
        texts = _texts(ref)
        height, width = world.size(ref["image_id"])
        line = {
            "id": ref["ref_id"],
            "image": world.images[ref["image_id"]]["file_name"],
            "expression": texts[0] if len(texts) == 1 else texts,
            "height": height,
            "width": width,
            "masks": [item["segmentation"] for item in targets] if targets or number % 2 else None,
        }
        if targets and number % 3:
            line["boxes"] = [_corners(item["bbox"]) for item in targets]
        yield line


def _texts(ref: Json) -> list[str]:
    return [vary_spelling(said["raw"], said["sent_id"]) for said in ref["sentences"]]


def _corners(box: list[float]) -> list[float]:
    x, y, w, h = box
    return [x, y, x + w, y + h]
