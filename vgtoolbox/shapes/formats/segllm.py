"""Write SegLLM conversations: rounds of questions, some about objects segmented earlier.

The generator of MR-RefCOCO and MR-PACO is not published. These files use their schema, but the
conversations are our own: a later round identifies an object by its position relative to an earlier
one, or a part of an earlier one, if this is unambiguous.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vgtoolbox.shapes.formats.corner_cases import vary_spelling
from vgtoolbox.shapes.formats.world_annotations import Json, WorldAnnotations
from vgtoolbox.shapes.writer import write_json
from vgtoolbox.structures import (
    decode_masks,
    encode_masks,
    rle_areas,
    rle_boxes_xyxy,
    segmentation_to_rle,
)

MAX_ROUNDS = 12
_REFERS = 0.6
"""Probability that a later round refers to an earlier one, if it can."""
_NO_ROUND = -1
_FIRST_PART_ID = 1_000_000
_PARTS = ("top half", "bottom half")


@dataclass
class ConversationBuilder:
    """Builder of the rounds about one image.

    Args:
        image: Path of the image, as the markers contain it.
        turns: Questions and answers so far.
        segmented: Target annotations in the order of the rounds.
    """

    image: str
    turns: list[Json] = field(default_factory=list)
    segmented: list[Json] = field(default_factory=list)

    def ask(
        self, question: str, target: Json, *, dataset: str, relation: str, earlier: int | None
    ) -> None:
        """Append a round.

        Args:
            question: Text of the question.
            target: Annotation of the answer.
            dataset: Name of the dataset of the annotation.
            relation: Relation to the earlier object; "none" if there is none.
            earlier: Position in `segmented` of the object that the question refers to. If `None`,
                it does not refer to an earlier object.
        """
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
        """Return the markers that give the model an object as input."""
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


def write_segllm(folder: Path, world: WorldAnnotations) -> None:
    """Write `segllm/mr_refcoco_*.json`, `segllm/mr_paco_*.json` and PACO's annotations."""
    folder, masks = folder / "segllm", folder / "paco"
    folder.mkdir(parents=True)
    masks.mkdir()
    for split in ("train", "val"):
        rng = np.random.default_rng([world.seed, len(split)])
        scenes = list(_scenes(split, world))
        rounds = (_positional(i, texts, world, rng) for i, texts in scenes)
        write_json(folder / f"mr_refcoco_{split}.json", _numbered(rounds, f"mr_refcoco_{split}"))
        parts = _part_annotations((i for i, _ in scenes), world)
        rounds = (_hierarchical(i, texts, parts, world) for i, texts in scenes)
        write_json(folder / f"mr_paco_{split}.json", _numbered(rounds, f"mr_paco_{split}"))
        write_json(masks / f"paco_lvis_v1_{split}.json", _paco(scenes, parts, world))
    rng = np.random.default_rng([world.seed, 0])
    hard = (_with_cue(i, world, rng) for i, _ in _scenes("train", world))
    write_json(folder / "mr_refcoco_hard_train.json", _numbered(hard, "mr_refcoco_hard_train"))


def _scenes(split: str, world: WorldAnnotations) -> Iterator[tuple[int, dict[int, str]]]:
    """Yield each image id with the expressions of its objects by annotation id."""
    texts: dict[int, dict[int, str]] = {}
    for ref in world.single_refs(split):
        sentence = ref["sentences"][0]
        text = vary_spelling(sentence["raw"].rstrip("."), sentence["sent_id"])
        texts.setdefault(ref["image_id"], {}).setdefault(ref["ann_id"][0], text)
    yield from texts.items()


def _positional(
    image_id: int, texts: dict[int, str], world: WorldAnnotations, rng: np.random.Generator
) -> ConversationBuilder:
    """Identify objects by their expressions, or by their position relative to earlier ones."""
    conversation = _start(image_id, world)
    objects = world.annotations_of[image_id]
    waiting = [item for item in objects if item["id"] in texts]
    for _ in range(MAX_ROUNDS):
        found = list(_unique_relations(conversation.segmented, objects, world))
        if found and rng.random() < _REFERS:
            phrase, target, earlier = found[rng.integers(len(found))]
            question, relation = f"Segment {phrase} instance {earlier + 1}.", "relational"
        elif waiting:
            target, earlier = waiting[0], None
            question, relation = f"Segment {texts[target['id']]}.", "none"
        else:
            break
        conversation.ask(question, target, dataset="refcoco", relation=relation, earlier=earlier)
        waiting = [item for item in waiting if item is not target]
    return conversation


def _hierarchical(
    image_id: int, texts: dict[int, str], parts: dict[int, list[Json]], world: WorldAnnotations
) -> ConversationBuilder:
    """Identify objects by their expressions, then parts of them."""
    conversation = _start(image_id, world)
    for ann_id, text in list(texts.items())[: MAX_ROUNDS // (1 + len(_PARTS))]:
        whole = world.annotations[ann_id]
        earlier = len(conversation.segmented)
        question = f"Segment {text}."
        conversation.ask(question, whole, dataset="paco_lvis", relation="none", earlier=None)
        for name, part in zip(_PARTS, parts[ann_id], strict=True):
            question = f"Segment the {name} of instance {earlier + 1}."
            conversation.ask(
                question, part, dataset="paco_lvis", relation="hierarchical", earlier=earlier
            )
    return conversation


def _with_cue(
    image_id: int, world: WorldAnnotations, rng: np.random.Generator
) -> ConversationBuilder:
    """Identify an object in the first round by its position relative to one never segmented."""
    conversation = _start(image_id, world)
    objects = world.annotations_of[image_id]
    found = list(_unique_relations(objects, objects, world, again=True))
    if found:
        phrase, target, cue = found[rng.integers(len(found))]
        conversation.segmented = [objects[cue]]
        question = f"Segment {phrase} this one."
        conversation.ask(question, target, dataset="refcoco", relation="relational", earlier=0)
    return conversation


def _start(image_id: int, world: WorldAnnotations) -> ConversationBuilder:
    return ConversationBuilder(f"images/{world.images[image_id]['file_name']}")


def _numbered(conversations: Iterable[ConversationBuilder], name: str) -> list[Json]:
    return [
        conversation.finish(f"{name}_{number}")
        for number, conversation in enumerate(conversations)
        if conversation.turns
    ]


def _unique_relations(
    references: list[Json], objects: list[Json], world: WorldAnnotations, *, again: bool = False
) -> Iterator[tuple[str, Json, int]]:
    """Yield (phrase, the only object that it names, position of the reference).

    Args:
        references: Annotations that a phrase can refer to.
        objects: Annotations of the image.
        world: Annotations of the generated dataset.
        again: Whether phrases can name members of `references`.
    """
    for position, reference in enumerate(references):
        named: dict[str, list[Json]] = {}
        for item in objects:
            side = _side(item["bbox"], reference["bbox"])
            if item is not reference and side:
                named.setdefault(f"the {world.category_name(item)} {side}", []).append(item)
        for phrase, items in named.items():
            if len(items) == 1 and (again or items[0] not in references):
                yield phrase, items[0], position


def _side(box: list[float], reference: list[float]) -> str | None:
    """Return the position of `box` relative to `reference`; `None` if it is ambiguous."""
    (x, y, w, h), (ref_x, ref_y, ref_w, ref_h) = box, reference
    right = x + w / 2 - ref_x - ref_w / 2
    below = y + h / 2 - ref_y - ref_h / 2
    if abs(right) > 2 * abs(below) and abs(right) > (w + ref_w) / 4:
        return "to the right of" if right > 0 else "to the left of"
    if abs(below) > 2 * abs(right) and abs(below) > (h + ref_h) / 4:
        return "below" if below > 0 else "above"
    return None


def _part_annotations(image_ids: Iterable[int], world: WorldAnnotations) -> dict[int, list[Json]]:
    """Return the annotations of both halves of each object, by annotation id of the object."""
    return {
        item["id"]: _halves(item, world)
        for image_id in image_ids
        for item in world.annotations_of[image_id]
    }


def _halves(annotation: Json, world: WorldAnnotations) -> list[Json]:
    size = world.size(annotation["image_id"])
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
    scenes: list[tuple[int, dict[int, str]]], parts: dict[int, list[Json]], world: WorldAnnotations
) -> Json:
    ids = [image_id for image_id, _ in scenes]
    wholes = [item for image_id in ids for item in world.annotations_of[image_id]]
    return {
        "images": [world.images[image_id] for image_id in ids],
        "annotations": wholes + [part for item in wholes for part in parts[item["id"]]],
        "categories": world.categories,
    }
