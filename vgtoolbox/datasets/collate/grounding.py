"""Stack packed samples into a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import default_collate

from vgtoolbox.datasets.collate.batch_transfer import ready_to_send
from vgtoolbox.registry import FUNCTIONS


@FUNCTIONS.register_module()
def grounding_collate(batch: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Stack the results of `PackGroundingInputs`.

    Images of different sizes are padded with 0 at the bottom and right to the largest height and
    width, and so are the images of each view. The targets are unchanged, since their coordinates do
    not move.

    Returns:
        `{"inputs": {"images": (B, 3, H, W) uint8, "token_ids": (B, T), "text_padding_mask": (B, T)
        bool, "views": {name: (B, 3, h, w) uint8}}, "data_samples": list of B samples}`.
    """
    images = _stack(_pad_to_largest([item["inputs"]["image"] for item in batch]))
    inputs: dict[str, Any] = {
        key: _stack([item["inputs"][key] for item in batch])
        for key in batch[0]["inputs"]
        if key not in ("image", "views")
    }
    if "views" in batch[0]["inputs"]:
        inputs["views"] = {
            name: _stack(_pad_to_largest([item["inputs"]["views"][name] for item in batch]))
            for name in batch[0]["inputs"]["views"]
        }
    samples = [item["data_samples"] for item in batch]
    return ready_to_send({"inputs": {"images": images, **inputs}, "data_samples": samples})


def _stack(tensors: list[Tensor]) -> Tensor:
    """Stack tensors of one shape."""
    if tensors[0].ndim == 1:  # tokens, which are sent with the samples
        return torch.stack(tensors)
    # default_collate, in a worker process, stacks straight into shared memory.
    return default_collate(tensors)


def _pad_to_largest(images: list[Tensor]) -> list[Tensor]:
    """Pad images (3, h, w) to one size."""
    height = max(image.shape[-2] for image in images)
    width = max(image.shape[-1] for image in images)
    if all(image.shape[-2:] == (height, width) for image in images):
        return images
    return [F.pad(i, (0, width - i.shape[-1], 0, height - i.shape[-2])) for i in images]
