"""Samples of a batch that ask about one image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageGroups:
    """I images, and which of them each of B samples is about.

    Attributes:
        images: (I, 3, H, W).
        index: For each sample its image; ascending, no image left out.
    """

    images: Tensor
    index: tuple[int, ...]

    def members(self) -> list[list[int]]:
        """Return the samples of each image."""
        groups: list[list[int]] = [[] for _ in range(len(self.images))]
        for sample, image in enumerate(self.index):
            groups[image].append(sample)
        return groups


def group_images(images: Tensor, image_index: Tensor | None = None) -> ImageGroups:
    """Group samples by image; each image is then encoded once.

    Args:
        images: (I, 3, H, W) with `image_index`, else (B, 3, H, W): neighbours whose pixels are the
            same are one image.
        image_index: (B,), the image of each sample, ascending.
    """
    if image_index is not None:
        return ImageGroups(images, tuple(image_index.tolist()))
    first, index = [0], [0]
    for i in range(1, len(images)):
        if not torch.equal(images[i], images[first[-1]]):
            first.append(i)
        index.append(len(first) - 1)
    return ImageGroups(images if len(first) == len(images) else images[first], tuple(index))
