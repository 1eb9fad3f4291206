"""Grouping of the samples of a batch by image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ImageGroups:
    """I images, and the image of each of B samples.

    Attributes:
        images: Images (I, 3, H, W).
        index: Index of the image of each sample; ascending, without gaps.
    """

    images: Tensor
    index: tuple[int, ...]

    def members(self) -> list[list[int]]:
        """Return the indices of the samples of each image."""
        groups: list[list[int]] = [[] for _ in range(len(self.images))]
        for sample, image in enumerate(self.index):
            groups[image].append(sample)
        return groups


def group_images(images: Tensor, image_index: Tensor | None = None) -> ImageGroups:
    """Group samples by image, so that each image is encoded once.

    Args:
        images: Images (I, 3, H, W) with `image_index`, or (B, 3, H, W) without it.
        image_index: Index (B,) of the image of each sample, ascending. If `None`, adjacent samples
            with identical pixels share one image.
    """
    if image_index is not None:
        return ImageGroups(images, tuple(image_index.tolist()))
    first, index = [0], [0]
    for i in range(1, len(images)):
        if not torch.equal(images[i], images[first[-1]]):
            first.append(i)
        index.append(len(first) - 1)
    return ImageGroups(images if len(first) == len(images) else images[first], tuple(index))
