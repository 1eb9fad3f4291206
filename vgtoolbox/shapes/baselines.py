"""Predictors that may look at the words only, or at the image only: what a world gives away.

The image-only and the keyword predictors see the scene perfectly, from its annotation. What they
miss is therefore language, not sight.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TypeAlias

import torch
from torch import nn
from torch.nn import functional as F

from vgtoolbox.shapes.verbalizer import attribute_words
from vgtoolbox.structures import (
    RLE,
    decode_masks,
    encode_masks,
    merge_rles,
    rle_areas,
    segmentation_to_rle,
)

GRID = 16
"""Side of the coarse mask that the text-only predictors draw, stretched over the image."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Instance:
    """One object: its mask, box (4,) and words."""

    rle: RLE
    box_xyxy: torch.Tensor
    words: dict[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """One sentence about one image, with all objects of the image and which of them it names."""

    size: tuple[int, int]
    tokens: tuple[str, ...]
    instances: tuple[Instance, ...]
    target_ids: tuple[int, ...]

    @property
    def targets(self) -> list[Instance]:
        """Return the instances that the sentence names."""
        return [self.instances[index] for index in self.target_ids]


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """A merged mask, boxes (Q, 4) of equal score, and the no-target decision."""

    mask: RLE
    boxes_xyxy: torch.Tensor
    no_target: bool


Predictor: TypeAlias = Callable[[Question], Answer]


def read_questions(root: Path, split: str) -> list[Question]:
    """Read the sentences of `split` from a generated world."""
    tables = json.loads((root / "grefcoco" / "instances.json").read_text(encoding="utf-8"))
    sizes = {image["id"]: (image["height"], image["width"]) for image in tables["images"]}
    with (root / "scenes.jsonl").open(encoding="utf-8") as file:
        facts = {row["image_id"]: row["objects"] for row in map(json.loads, file)}
    grefs = json.loads((root / "grefcoco" / "grefs(unc).json").read_text(encoding="utf-8"))
    grefs = [ref for ref in grefs if ref["split"] == split]
    wanted = {ref["image_id"] for ref in grefs}
    by_image: dict[int, list[dict]] = {}
    for row in tables["annotations"]:
        if row["image_id"] in wanted:
            by_image.setdefault(row["image_id"], []).append(row)
    instances = {
        image_id: _instances(rows, facts[image_id], sizes[image_id])
        for image_id, rows in by_image.items()
    }
    first_ids = {image_id: rows[0]["id"] for image_id, rows in by_image.items()}
    return [
        Question(
            size=sizes[ref["image_id"]],
            tokens=tuple(sentence["tokens"]),
            instances=instances[ref["image_id"]],
            target_ids=tuple(
                ann_id - first_ids[ref["image_id"]] for ann_id in ref["ann_id"] if ann_id > 0
            ),
        )
        for ref in grefs
        for sentence in ref["sentences"]
    ]


def _instances(rows: list[dict], facts: list[dict], size: tuple[int, int]) -> tuple[Instance, ...]:
    return tuple(
        Instance(
            rle=segmentation_to_rle(row["segmentation"], size),
            box_xyxy=_xyxy(row["bbox"]),
            words={name: item[name] for name in ("shape", "colour", "size", "texture")},
        )
        for row, item in zip(rows, facts, strict=True)
    )


def _xyxy(box_xywh: Sequence[float]) -> torch.Tensor:
    x, y, w, h = box_xywh
    return torch.tensor([x, y, x + w, y + h])


def answer_with(instances: Sequence[Instance], size: tuple[int, int]) -> Answer:
    """Return the answer that names `instances`; no instance means no target."""
    boxes = [item.box_xyxy for item in instances]
    return Answer(
        mask=merge_rles([item.rle for item in instances], size),
        boxes_xyxy=torch.stack(boxes) if boxes else torch.zeros(0, 4),
        no_target=not instances,
    )


def nothing(question: Question) -> Answer:
    """Say "no target", whatever is asked."""
    return answer_with([], question.size)


def whole_image(question: Question) -> Answer:
    """Name the whole image, whatever is asked."""
    height, width = question.size
    return Answer(
        mask=encode_masks(torch.ones(1, height, width, dtype=torch.bool))[0],
        boxes_xyxy=torch.tensor([[0.0, 0.0, width, height]]),
        no_target=False,
    )


def every_object(question: Question) -> Answer:
    """Name every object, whatever is asked."""
    return answer_with(question.instances, question.size)


def largest_object(question: Question) -> Answer:
    """Name the object with the largest mask, whatever is asked."""
    areas = rle_areas([item.rle for item in question.instances])
    return answer_with([question.instances[int(areas.argmax())]], question.size)


def keywords(question: Question) -> Answer:
    """Name every object whose words the sentence mentions, without regard to their order."""
    wanted = [attribute_words(token) for token in question.tokens]
    mentioned: dict[str, set[str]] = {}
    for name, value in (pair for pair in wanted if pair is not None):
        mentioned.setdefault(name, set()).add(value)
    fitting = [
        item
        for item in question.instances
        if all(item.words[name] in values for name, values in mentioned.items())
    ]
    return answer_with(fitting, question.size)


class WordsOnly:
    """Existence, a box and a coarse mask from words and word pairs, never from the image.

    It rejects as many sentences as name nothing, the least promising first: its N-acc is the share
    of no-target sentences if the words tell nothing, and higher if they do.

    Args:
        questions: sentences to learn from; without their tokens the answer is a constant.
        epochs: passes over them.
    """

    def __init__(self, questions: Sequence[Question], *, epochs: int = 4) -> None:
        grams = sorted({gram for question in questions for gram in _grams(question.tokens)})
        self._columns = {gram: column for column, gram in enumerate(grams)}
        self._net = nn.EmbeddingBag(len(grams) + 1, 1 + 4 + GRID * GRID, mode="sum")
        nn.init.zeros_(self._net.weight)
        self._fit(questions, epochs)
        with torch.no_grad():
            existence = torch.stack([self._logits(question)[0] for question in questions])
        share = sum(not question.target_ids for question in questions) / len(questions)
        self._threshold = existence.quantile(share)

    def __call__(self, question: Question) -> Answer:
        """Answer from the words of `question`."""
        with torch.no_grad():
            logits = self._logits(question)
        if logits[0] < self._threshold:
            return nothing(question)
        height, width = question.size
        box = logits[1:5].sigmoid() * torch.tensor([width, height, width, height])
        coarse = logits[5:].sigmoid().view(1, 1, GRID, GRID)
        shares = F.interpolate(coarse, question.size, mode="bilinear", align_corners=False)[0]
        # Where the mask is unsure everywhere, an absolute threshold would leave it empty.
        masks = shares >= shares.max() / 2
        return Answer(mask=encode_masks(masks)[0], boxes_xyxy=box[None], no_target=False)

    def _logits(self, question: Question) -> torch.Tensor:
        return self._net(self._ids(question)[None])[0]

    def _fit(self, questions: Sequence[Question], epochs: int) -> None:
        ids = [self._ids(question) for question in questions]
        truths = torch.stack([_truth(question) for question in questions])
        generator = torch.Generator().manual_seed(0)
        optimizer = torch.optim.Adam(self._net.parameters(), lr=0.02)
        for _ in range(epochs):
            for batch in torch.randperm(len(ids), generator=generator).split(512):
                offsets = torch.tensor([0, *(len(ids[i]) for i in batch)]).cumsum(0)[:-1]
                logits = self._net(torch.cat([ids[i] for i in batch]), offsets)
                truth = truths[batch]
                named = truth[:, 0] > 0
                existence, places = logits[:, 0], logits[named, 1:]
                loss = F.binary_cross_entropy_with_logits(existence, truth[:, 0])
                loss = loss + F.l1_loss(places[:, :4].sigmoid(), truth[named, 1:5])
                loss = loss + F.binary_cross_entropy_with_logits(places[:, 4:], truth[named, 5:])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

    def _ids(self, question: Question) -> torch.Tensor:
        unknown = len(self._columns)
        return torch.tensor([self._columns.get(gram, unknown) for gram in _grams(question.tokens)])


def without_words(questions: Sequence[Question]) -> list[Question]:
    """Return the questions with their sentences emptied."""
    return [replace(question, tokens=()) for question in questions]


def _grams(tokens: Sequence[str]) -> list[str]:
    """Return the words, the pairs of neighbours and a constant."""
    pairs = (f"{first} {second}" for first, second in pairwise(tokens))
    return ["", *tokens, *pairs]


def _truth(question: Question) -> torch.Tensor:
    """Return existence, the mean target box (0..1) and the covered share of each grid cell."""
    merged = merge_rles([item.rle for item in question.targets], question.size)
    dense = decode_masks([merged])[None].float()
    cells = F.interpolate(dense, (GRID, GRID), mode="area").flatten()
    height, width = question.size
    boxes = [item.box_xyxy / torch.tensor([width, height] * 2) for item in question.targets]
    box = torch.stack(boxes).mean(0) if boxes else torch.zeros(4)
    return torch.cat([torch.tensor([float(bool(boxes))]), box, cells])
