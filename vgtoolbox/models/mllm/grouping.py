"""Grouping of the samples of a batch by image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageGroups:
    """Inputs of I images, and the image of each of B samples.

    Attributes:
        inputs: Inputs with one row per image: `images` (I, 3, H, W), and `views` and `valid` if
            there are any.
        index: Index of the image of each sample; ascending, without gaps.
    """

    inputs: dict[str, Any]
    index: tuple[int, ...]

    def members(self) -> list[list[int]]:
        """Return the indices of the samples of each image."""
        groups: list[list[int]] = [[] for _ in range(len(self.inputs["images"]))]
        for sample, image in enumerate(self.index):
            groups[image].append(sample)
        return groups


def group_images(inputs: Mapping[str, Any]) -> ImageGroups:
    """Group samples by image, so that each image is encoded once.

    Args:
        inputs: Inputs with `images` (B, 3, H, W), of which adjacent ones with identical pixels
            are one image. With `image_index` (B,), ascending, the images are (I, 3, H, W) and it
            has the image of each sample. Mappings `views` and `valid` have tensors of the same
            length as `images`.
    """
    images = inputs["images"]
    shared = {key: inputs[key] for key in ("images", "views", "valid") if key in inputs}
    if "image_index" in inputs:
        return ImageGroups(shared, tuple(inputs["image_index"].tolist()))
    first, index = [0], [0]
    for i in range(1, len(images)):
        if not torch.equal(images[i], images[first[-1]]):
            first.append(i)
        index.append(len(first) - 1)
    if len(first) < len(images):
        shared = {key: _rows(value, first) for key, value in shared.items()}
    return ImageGroups(shared, tuple(index))


def _rows(value: Tensor | Mapping[str, Tensor], index: list[int]) -> Any:
    """Select rows of a tensor, or of each tensor of a mapping."""
    if isinstance(value, Mapping):
        return {key: each[index] for key, each in value.items()}
    return value[index]
