"""Baselines without language or without vision, which reveal biases of the generated dataset.

The image-only and the keyword predictors get the exact objects from the annotation, so their errors
are errors of language, not of vision.
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

from vgtoolbox.shapes.attributes import ATTRIBUTE_NAMES
from vgtoolbox.shapes.scene import SceneObject, parse_scene
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
"""Side of the coarse mask that the text-only predictor stretches over the image."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Instance:
    """Object of an image: its mask, box (4,) and attribute words."""

    rle: RLE
    box_xyxy: torch.Tensor
    words: dict[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class ExpressionSample:
    """Sentence about an image, with all objects of the image and the indices of its targets.

    Args:
        size: (H, W) of the image.
        tokens: Words of the sentence.
        instances: All objects of the image.
        target_ids: Indices of the targets in `instances`; empty for no target.
    """

    size: tuple[int, int]
    tokens: tuple[str, ...]
    instances: tuple[Instance, ...]
    target_ids: tuple[int, ...]

    @property
    def targets(self) -> list[Instance]:
        """Return the instances that the sentence names."""
        return [self.instances[index] for index in self.target_ids]


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """Merged mask, boxes (Q, 4) of equal score, and the no-target decision."""

    mask: RLE
    boxes_xyxy: torch.Tensor
    no_target: bool


Predictor: TypeAlias = Callable[[ExpressionSample], Prediction]


def read_samples(root: Path, split: str) -> list[ExpressionSample]:
    """Read the sentences of a split from the generated dataset at `root`."""
    tables = json.loads((root / "grefcoco" / "instances.json").read_text(encoding="utf-8"))
    sizes = {image["id"]: (image["height"], image["width"]) for image in tables["images"]}
    with (root / "scenes.jsonl").open(encoding="utf-8") as file:
        objects = {row["image_id"]: parse_scene(row).objects for row in map(json.loads, file)}
    grefs = json.loads((root / "grefcoco" / "grefs(unc).json").read_text(encoding="utf-8"))
    grefs = [ref for ref in grefs if ref["split"] == split]
    wanted = {ref["image_id"] for ref in grefs}
    by_image: dict[int, list[dict]] = {}
    for row in tables["annotations"]:
        if row["image_id"] in wanted:
            by_image.setdefault(row["image_id"], []).append(row)
    instances = {
        image_id: _instances(rows, objects[image_id], sizes[image_id])
        for image_id, rows in by_image.items()
    }
    first_ids = {image_id: rows[0]["id"] for image_id, rows in by_image.items()}
    return [
        ExpressionSample(
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


def _instances(
    rows: list[dict], objects: Sequence[SceneObject], size: tuple[int, int]
) -> tuple[Instance, ...]:
    return tuple(
        Instance(
            rle=segmentation_to_rle(row["segmentation"], size),
            box_xyxy=_xyxy(row["bbox"]),
            words={name: getattr(item, name) for name in ATTRIBUTE_NAMES},
        )
        for row, item in zip(rows, objects, strict=True)
    )


def _xyxy(box_xywh: Sequence[float]) -> torch.Tensor:
    x, y, w, h = box_xywh
    return torch.tensor([x, y, x + w, y + h])


def predict_instances(instances: Sequence[Instance], size: tuple[int, int]) -> Prediction:
    """Return a prediction of exactly `instances`; an empty sequence means no target."""
    boxes = [item.box_xyxy for item in instances]
    return Prediction(
        mask=merge_rles([item.rle for item in instances], size),
        boxes_xyxy=torch.stack(boxes) if boxes else torch.zeros(0, 4),
        no_target=not instances,
    )


def predict_nothing(sample: ExpressionSample) -> Prediction:
    """Predict no target for every sentence."""
    return predict_instances([], sample.size)


def predict_whole_image(sample: ExpressionSample) -> Prediction:
    """Predict the whole image for every sentence."""
    height, width = sample.size
    return Prediction(
        mask=encode_masks(torch.ones(1, height, width, dtype=torch.bool))[0],
        boxes_xyxy=torch.tensor([[0.0, 0.0, width, height]]),
        no_target=False,
    )


def predict_all_objects(sample: ExpressionSample) -> Prediction:
    """Predict all objects of the image for every sentence."""
    return predict_instances(sample.instances, sample.size)


def predict_largest_object(sample: ExpressionSample) -> Prediction:
    """Predict the object with the largest mask for every sentence."""
    areas = rle_areas([item.rle for item in sample.instances])
    return predict_instances([sample.instances[int(areas.argmax())]], sample.size)


def predict_by_keywords(sample: ExpressionSample) -> Prediction:
    """Predict the objects that fit the attribute words of the sentence, ignoring word order."""
    wanted = [attribute_words(token) for token in sample.tokens]
    mentioned: dict[str, set[str]] = {}
    for name, value in (pair for pair in wanted if pair is not None):
        mentioned.setdefault(name, set()).add(value)
    fitting = [
        item
        for item in sample.instances
        if all(item.words[name] in values for name, values in mentioned.items())
    ]
    return predict_instances(fitting, sample.size)


class TextOnlyPredictor:
    """Predict existence, a box and a coarse mask from words and word pairs, without the image.

    The share of rejected sentences, those of lowest existence, equals the share of no-target
    sentences in `samples`. N-acc is therefore about this share if the words do not predict
    existence, and higher if they do.

    Args:
        samples: Training samples. If their tokens are removed, the prediction is constant.
        epochs: Number of passes over `samples`.
    """

    def __init__(self, samples: Sequence[ExpressionSample], *, epochs: int = 4) -> None:
        grams = sorted({gram for sample in samples for gram in _grams(sample.tokens)})
        self._columns = {gram: column for column, gram in enumerate(grams)}
        self._net = nn.EmbeddingBag(len(grams) + 1, 1 + 4 + GRID * GRID, mode="sum")
        nn.init.zeros_(self._net.weight)
        self._fit(samples, epochs)
        with torch.no_grad():
            existence = torch.stack([self._logits(sample)[0] for sample in samples])
        share = sum(not sample.target_ids for sample in samples) / len(samples)
        self._threshold = existence.quantile(share)

    def __call__(self, sample: ExpressionSample) -> Prediction:
        """Predict from the words of `sample`."""
        with torch.no_grad():
            logits = self._logits(sample)
        if logits[0] < self._threshold:
            return predict_nothing(sample)
        height, width = sample.size
        box = logits[1:5].sigmoid() * torch.tensor([width, height, width, height])
        coarse = logits[5:].sigmoid().view(1, 1, GRID, GRID)
        shares = F.interpolate(coarse, sample.size, mode="bilinear", align_corners=False)[0]
        # An absolute threshold would leave the mask empty if all cells are uncertain.
        masks = shares >= shares.max() / 2
        return Prediction(mask=encode_masks(masks)[0], boxes_xyxy=box[None], no_target=False)

    def _logits(self, sample: ExpressionSample) -> torch.Tensor:
        return self._net(self._ids(sample)[None])[0]

    def _fit(self, samples: Sequence[ExpressionSample], epochs: int) -> None:
        ids = [self._ids(sample) for sample in samples]
        truths = torch.stack([_truth(sample) for sample in samples])
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

    def _ids(self, sample: ExpressionSample) -> torch.Tensor:
        unknown = len(self._columns)
        return torch.tensor([self._columns.get(gram, unknown) for gram in _grams(sample.tokens)])


def drop_text(samples: Sequence[ExpressionSample]) -> list[ExpressionSample]:
    """Return `samples` with empty sentences."""
    return [replace(sample, tokens=()) for sample in samples]


def _grams(tokens: Sequence[str]) -> list[str]:
    """Return a constant (bias), the words and the pairs of neighboring words."""
    pairs = (f"{first} {second}" for first, second in pairwise(tokens))
    return ["", *tokens, *pairs]


def _truth(sample: ExpressionSample) -> torch.Tensor:
    """Return existence, the mean target box in 0..1 and the coverage of each grid cell."""
    merged = merge_rles([item.rle for item in sample.targets], sample.size)
    dense = decode_masks([merged])[None].float()
    cells = F.interpolate(dense, (GRID, GRID), mode="area").flatten()
    height, width = sample.size
    boxes = [item.box_xyxy / torch.tensor([width, height] * 2) for item in sample.targets]
    box = torch.stack(boxes).mean(0) if boxes else torch.zeros(4)
    return torch.cat([torch.tensor([float(bool(boxes))]), box, cells])
