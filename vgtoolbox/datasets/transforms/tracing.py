"""Trace a sample through the steps of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.structures import InstanceData
from torch import Tensor

from vgtoolbox.structures import decode_masks


@dataclass(frozen=True)
class Snapshot:
    """Sample after one step.

    Attributes:
        step: Name of the step, with the steps that it runs itself.
        image: Image (3, H, W) uint8.
        targets: Targets with `boxes_xyxy` (N, 4) and `masks` (N, H, W) bool in the frame of the
            image, or only boxes for a sample without masks. `None` before they are read.
        expression: Text for the model. `None` before an expression is chosen.
        notes: Other values that a step sets, by name.
    """

    step: str
    image: Tensor
    targets: InstanceData | None
    expression: str | None
    notes: Mapping[str, str]

    def looks_like(self, other: Snapshot) -> bool:
        """Return whether image and targets equal those of `other`; empty and unread are equal."""
        mine, theirs = self._tensors(), other._tensors()
        return mine.keys() == theirs.keys() and all(
            torch.equal(tensor, theirs[name]) for name, tensor in mine.items()
        )

    def _tensors(self) -> dict[str, Tensor]:
        if self.targets is None or len(self.targets) == 0:
            return {"image": self.image}
        return {"image": self.image, **dict(self.targets.items())}


def trace_pipeline(dataset: Any, index: int) -> list[Snapshot]:
    """Run a dataset's pipeline on one sample and return a snapshot after each step.

    Snapshots start with the step that reads the image. Random steps draw the same values as in
    training, in the dataset's epoch.

    Args:
        dataset: A `GroundingDataset` with a pipeline.
        index: Position of the sample.
    """
    results: dict[str, Any] = dataset.get_data_info(index)
    results["rng"] = np.random.default_rng((dataset.seed, dataset.epoch, results["sample_idx"]))
    snapshots = []
    for step in dataset.pipeline.transforms:
        results = step(results)
        if "image" in results or "inputs" in results:
            snapshots.append(_snapshot(step_name(step), results))
    return snapshots


def step_name(step: Any) -> str:
    """Return the class name of a transform, with those of the transforms inside it."""
    name = type(step).__name__
    inner = getattr(getattr(step, "steps", None), "transforms", None)
    return f"{name}({', '.join(map(step_name, inner))})" if inner else name


def _snapshot(name: str, results: Mapping[str, Any]) -> Snapshot:
    if "data_samples" in results:
        return _snapshot_packed(name, results)
    image, targets = _as_uint8(results["image"]), None
    if "boxes" in results:
        targets = InstanceData(boxes_xyxy=_copy(results["boxes"]))
        if "masks" in results:
            targets.masks = _copy(results["masks"]).bool()
        elif "rles" in results:
            targets.masks = decode_masks(results["rles"], (image.shape[1], image.shape[2]))
    expression = results.get("expression")
    return Snapshot(name, image, targets, expression, _notes(results))


def _snapshot_packed(name: str, packed: Mapping[str, Any]) -> Snapshot:
    """Return a snapshot of packed inputs; of several samples of an image, the first is shown."""
    samples = packed["data_samples"]
    sample = samples[0] if isinstance(samples, list) else samples
    return Snapshot(
        step=name,
        image=_as_uint8(packed["inputs"]["image"]),
        targets=sample.get("gt_instances"),
        expression=sample.get("expression"),
        notes=_notes({**sample.metainfo, **packed["inputs"]}),
    )


def _notes(results: Mapping[str, Any]) -> dict[str, str]:
    """Describe values that are not visible in the image."""
    notes = {}
    for key in ("scale_factor", "offset"):
        if key in results:
            notes[key] = " x ".join(f"{value:.3f}" for value in results[key])
    if results.get("flip", False):
        notes["flip"] = "mirrored"
    if "token_ids" in results:
        padding = results["text_padding_mask"]
        notes["tokens"] = f"{int((~padding).sum())} of {len(padding)}"
    return notes


def _copy(value: Tensor) -> Tensor:
    return value.as_subclass(Tensor).clone()


def _as_uint8(image: Tensor) -> Tensor:
    """Return a copy of an image (3, H, W), rounded to uint8."""
    return image.as_subclass(Tensor).detach().clone().float().round().clamp(0, 255).to(torch.uint8)
