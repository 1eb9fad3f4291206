"""SegLLM's conversations: rounds of questions, some about objects segmented in earlier rounds.

The generator of MR-RefCOCO and MR-PACO is not published. These files have their schema; how a
dialogue comes about is our own: a later round names an object by where it is seen from an earlier
one, or a part of it, where that says which without doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vgtoolbox.shapes.formats.corner_cases import odd_spelling
from vgtoolbox.shapes.formats.tables import Json, WorldTables
from vgtoolbox.shapes.writer import write_json
from vgtoolbox.structures import (
    decode_masks,
    encode_masks,
    rle_areas,
    rle_boxes_xyxy,
    segmentation_to_rle,
)

MOST_ROUNDS = 12
_REFERS = 0.6
"""How often a later round refers to an earlier one, where it can."""
_NO_ROUND = -1
_FIRST_PART_ID = 1_000_000
_PARTS = ("top half", "bottom half")


@dataclass
class Dialogue:
    """Rounds about one image, in the making."""

    image: str
    turns: list[Json] = field(default_factory=list)
    segmented: list[Json] = field(default_factory=list)
    """Annotations, in the order of the rounds."""

    def ask(
        self, question: str, target: Json, *, dataset: str, relation: str, earlier: int | None
    ) -> None:
        """Append a round; `earlier` is the position of the object that it refers to."""
        reference = None if earlier is None else self.segmented[earlier]["id"]
        cues = "" if reference is None else self.cues(reference, dataset)
        turn = {"from": "human", "value": f"{cues}{question}"}
        if self.turns:
            turn["ind"] = _NO_ROUND if earlier is None else earlier + 1  # type: ignore[assignment]
        else:
            turn["value"] = f"[IMAGE256:{self.image}] {turn['value']}"
        marker = f"{relation}:{reference or 'none'}:{target['id']}:{self.image}:{dataset}"
        self.turns += [turn, {"from": "gpt", "value": f"[MASK-DECODE:{marker}]."}]
        self.segmented.append(target)

    def cues(self, mask_id: int, dataset: str) -> str:
        """Return the markers that show the model an object."""
        marker = f"{self.image}|{dataset}|{mask_id}"
        return f"[MASK-ENCODE:{marker}] [BOX-ENCODE:{marker}] "

    def finish(self, conv_id: str) -> Json:
        """Return the conversation."""
        return {
            "task": "segmentation",
            "base": "[null]",
            "conv_id": conv_id,
            "conversations": self.turns,
        }


def write_segllm(folder: Path, tables: WorldTables) -> None:
    """Write `segllm/mr_refcoco_*.json`, `segllm/mr_paco_*.json` and PACO's annotations."""
    folder, masks = folder / "segllm", folder / "paco"
    folder.mkdir(parents=True)
    masks.mkdir()
    for split in ("train", "val"):
        rng = np.random.default_rng([tables.seed, len(split)])
        scenes = list(_scenes(split, tables))
        rounds = (_positional(i, texts, tables, rng) for i, texts in scenes)
        write_json(folder / f"mr_refcoco_{split}.json", _numbered(rounds, f"mr_refcoco_{split}"))
        parts = _part_annotations((i for i, _ in scenes), tables)
        rounds = (_hierarchical(i, texts, parts, tables) for i, texts in scenes)
        write_json(folder / f"mr_paco_{split}.json", _numbered(rounds, f"mr_paco_{split}"))
        write_json(masks / f"paco_lvis_v1_{split}.json", _paco(scenes, parts, tables))
    rng = np.random.default_rng([tables.seed, 0])
    hard = (_with_cue(i, tables, rng) for i, _ in _scenes("train", tables))
    write_json(folder / "mr_refcoco_hard_train.json", _numbered(hard, "mr_refcoco_hard_train"))


def _scenes(split: str, tables: WorldTables) -> Iterator[tuple[int, dict[int, str]]]:
    """Yield an image id and what its objects are called, by annotation id."""
    called: dict[int, dict[int, str]] = {}
    for ref in tables.single_refs(split):
        said = ref["sentences"][0]
        text = odd_spelling(said["raw"].rstrip("."), said["sent_id"])
        called.setdefault(ref["image_id"], {}).setdefault(ref["ann_id"][0], text)
    yield from called.items()


def _positional(
    image_id: int, texts: dict[int, str], tables: WorldTables, rng: np.random.Generator
) -> Dialogue:
    """Name objects by their own expressions, and by where they lie from earlier ones."""
    dialogue = _start(image_id, tables)
    objects = tables.annotations_of[image_id]
    waiting = [item for item in objects if item["id"] in texts]
    for _ in range(MOST_ROUNDS):
        found = list(_unique_relations(dialogue.segmented, objects, tables))
        if found and rng.random() < _REFERS:
            phrase, target, earlier = found[rng.integers(len(found))]
            question, relation = f"Segment {phrase} instance {earlier + 1}.", "relational"
        elif waiting:
            target, earlier = waiting[0], None
            question, relation = f"Segment {texts[target['id']]}.", "none"
        else:
            break
        dialogue.ask(question, target, dataset="refcoco", relation=relation, earlier=earlier)
        waiting = [item for item in waiting if item is not target]
    return dialogue


def _hierarchical(
    image_id: int, texts: dict[int, str], parts: dict[int, list[Json]], tables: WorldTables
) -> Dialogue:
    """Name objects, and then parts of them."""
    dialogue = _start(image_id, tables)
    for ann_id, text in list(texts.items())[: MOST_ROUNDS // (1 + len(_PARTS))]:
        whole = tables.annotations[ann_id]
        earlier = len(dialogue.segmented)
        question = f"Segment {text}."
        dialogue.ask(question, whole, dataset="paco_lvis", relation="none", earlier=None)
        for name, part in zip(_PARTS, parts[ann_id], strict=True):
            question = f"Segment the {name} of instance {earlier + 1}."
            dialogue.ask(
                question, part, dataset="paco_lvis", relation="hierarchical", earlier=earlier
            )
    return dialogue


def _with_cue(image_id: int, tables: WorldTables, rng: np.random.Generator) -> Dialogue:
    """Ask in the first round for what lies somewhere from an object never segmented."""
    dialogue = _start(image_id, tables)
    objects = tables.annotations_of[image_id]
    found = list(_unique_relations(objects, objects, tables, again=True))
    if found:
        phrase, target, cue = found[rng.integers(len(found))]
        dialogue.segmented = [objects[cue]]
        question = f"Segment {phrase} this one."
        dialogue.ask(question, target, dataset="refcoco", relation="relational", earlier=0)
    return dialogue


def _start(image_id: int, tables: WorldTables) -> Dialogue:
    return Dialogue(f"images/{tables.images[image_id]['file_name']}")


def _numbered(dialogues: Iterable[Dialogue], name: str) -> list[Json]:
    return [
        dialogue.finish(f"{name}_{number}")
        for number, dialogue in enumerate(dialogues)
        if dialogue.turns
    ]


def _unique_relations(
    references: list[Json], objects: list[Json], tables: WorldTables, *, again: bool = False
) -> Iterator[tuple[str, Json, int]]:
    """Yield (phrase, the one object that it names, position of the reference)."""
    for position, reference in enumerate(references):
        named: dict[str, list[Json]] = {}
        for item in objects:
            side = _side(item["bbox"], reference["bbox"])
            if item is not reference and side:
                named.setdefault(f"the {tables.category_name(item)} {side}", []).append(item)
        for phrase, items in named.items():
            if len(items) == 1 and (again or items[0] not in references):
                yield phrase, items[0], position


def _side(box: list[float], reference: list[float]) -> str | None:
    """Return where `box` lies as seen from `reference`, None if that is open to doubt."""
    (x, y, w, h), (other_x, other_y, other_w, other_h) = box, reference
    right = x + w / 2 - other_x - other_w / 2
    below = y + h / 2 - other_y - other_h / 2
    if abs(right) > 2 * abs(below) and abs(right) > (w + other_w) / 4:
        return "to the right of" if right > 0 else "to the left of"
    if abs(below) > 2 * abs(right) and abs(below) > (h + other_h) / 4:
        return "below" if below > 0 else "above"
    return None


def _part_annotations(image_ids: Iterable[int], tables: WorldTables) -> dict[int, list[Json]]:
    """Return the halves of each object of the images, as annotations, by the object's id."""
    return {
        item["id"]: _halves(item, tables)
        for image_id in image_ids
        for item in tables.annotations_of[image_id]
    }


def _halves(annotation: Json, tables: WorldTables) -> list[Json]:
    size = tables.size(annotation["image_id"])
    whole = decode_masks([segmentation_to_rle(annotation["segmentation"], size)])
    _, y, _, h = annotation["bbox"]
    middle = int(y + h / 2)
    halves = whole.repeat(2, 1, 1)
    halves[0, middle:], halves[1, :middle] = False, False
    rles = encode_masks(halves)
    boxes = rle_boxes_xyxy(rles)
    boxes[:, 2:] -= boxes[:, :2]
    return [
        {
            **annotation,
            "id": _FIRST_PART_ID + len(_PARTS) * annotation["id"] + index,
            "bbox": boxes[index].tolist(),
            "area": float(rle_areas(rles)[index]),
            "segmentation": rle,
        }
        for index, rle in enumerate(rles)
    ]


def _paco(
    scenes: list[tuple[int, dict[int, str]]], parts: dict[int, list[Json]], tables: WorldTables
) -> Json:
    ids = [image_id for image_id, _ in scenes]
    wholes = [item for image_id in ids for item in tables.annotations_of[image_id]]
    return {
        "images": [tables.images[image_id] for image_id in ids],
        "annotations": wholes + [part for item in wholes for part in parts[item["id"]]],
        "categories": tables.categories,
    }
