"""Write ReasonSeg: images and LabelMe-style JSON files of the same name, by split."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from vgtoolbox.shapes.formats.corner_cases import vary_spelling
from vgtoolbox.shapes.formats.world_annotations import Json, WorldAnnotations
from vgtoolbox.shapes.writer import write_json

MAX_IMAGES = {"train": 239, "val": 200, "test": 779}
"""Number of images in the published splits (Lai et al., LISA, CVPR 2024)."""
_LONG = (
    "Somebody looks for {} and asks you to point at it. What do you point at?",
    "Which part of the picture would change if {} were painted over?",
)
_CP1252 = 4
"""Period of the files that are encoded in cp1252, not in UTF-8."""


def write_reasonseg(folder: Path, world: WorldAnnotations) -> None:
    """Write `reason_seg/ReasonSeg/{train,val,test}/NAME.jpg` and `NAME.json`.

    Each image has one question, about one object or several; other objects can be ignored regions.
    Some images of train have an explanation. False premises are included as in SESAME's release.
    """
    explanations = []
    folder = folder / "reason_seg" / "ReasonSeg"
    for split, most in MAX_IMAGES.items():
        (folder / split).mkdir(parents=True)
        for number, ref in zip(range(most), _one_ref_per_image(split, world), strict=False):
            name = Path(world.images[ref["image_id"]]["file_name"])
            target = folder / split / name
            shutil.copyfile(world.image_folder / name, target)
            text = json.dumps(_question(ref, number, world), ensure_ascii=False)
            encoding = "cp1252" if number % _CP1252 == 3 else "utf-8"
            target.with_suffix(".json").write_bytes(text.encode(encoding))
            if split == "train" and number % 3 == 0:
                said = ref["sentences"][0]["sent"]
                answer = f"Because it is {said}."
                explanations.append({"image": name.name, "query": f"{said}?", "outputs": answer})
    (folder / "explanatory").mkdir()
    write_json(folder / "explanatory" / "train.json", explanations)


def _one_ref_per_image(split: str, world: WorldAnnotations) -> Iterator[Json]:
    """Yield the first ref of each image whose targets are polygons, as LabelMe requires."""
    seen = set()
    for ref in world.refs_of(split):
        targets = world.targets(ref)
        drawable = targets and all(isinstance(item["segmentation"], list) for item in targets)
        if drawable and ref["image_id"] not in seen:
            seen.add(ref["image_id"])
            yield ref


def _question(ref: Json, number: int, world: WorldAnnotations) -> Json:
    """Return the content of a file; short and long queries alternate."""
    is_sentence = number % 2 == 1
    texts = [vary_spelling(s["raw"], number + i) for i, s in enumerate(ref["sentences"])]
    if is_sentence:
        texts = [form.format(text) for text in texts for form in _LONG]
    if number % _CP1252 == 3:
        texts[0] += " \N{EN DASH} caf\u00e9"  # in both code pages, as different bytes
    name = world.images[ref["image_id"]]["file_name"]
    shapes = [
        shape for item in world.targets(ref) for shape in _shapes(item, label="target", image=name)
    ]
    others = [a for a in world.annotations_of[ref["image_id"]] if a["id"] not in ref["ann_id"]]
    for item in others[: number % 3]:
        if isinstance(item["segmentation"], list):
            shapes += _shapes(item, label="ignore", image=name)
    if number % 5 == 4:
        shapes.append(_shape([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], label="flag", image=name))
    premises = [
        [said["raw"], False, f"There is no such thing; there is {ref['sentences'][0]['sent']}."]
        for said in world.negatives.get(ref["image_id"], [])[:1]
    ]
    return {
        "shapes": shapes,
        "text": texts,
        "is_sentence": is_sentence,
        "false_premise_QA": premises,
    }


def _shapes(annotation: Json, *, label: str, image: str) -> list[Json]:
    polygons = annotation["segmentation"]
    return [
        _shape([list(xy) for xy in zip(p[::2], p[1::2], strict=True)], label=label, image=image)
        for p in polygons
    ]


def _shape(points: list[list[float]], *, label: str, image: str) -> Json:
    return {
        "label": label,
        "labels": [label],
        "shape_type": "polygon",
        "image_name": image,
        "points": points,
        "group_id": None,
        "group_ids": [None],
        "flags": {},
    }
