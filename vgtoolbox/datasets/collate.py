"""From packed samples to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import default_collate, get_worker_info

from vgtoolbox.datasets.batch_transfer import SamplesInTransit
from vgtoolbox.registry import FUNCTIONS


@FUNCTIONS.register_module()
def grounding_collate(batch: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Stack what `PackGroundingInputs` gives.

    Images of several sizes are padded with 0 below and right to the largest height and width; the
    targets stay as they are, since their coordinates do not move.

    Returns:
        `{"inputs": {"images": (B, 3, H, W) uint8, "token_ids": (B, T), "text_padding_mask": (B, T)
        bool}, "data_samples": list of B samples}`.
    """
    # default_collate, in a worker process, stacks straight into shared memory.
    inputs = {
        key: default_collate([item["inputs"][key] for item in batch])
        for key in batch[0]["inputs"]
        if key != "image"
    }
    images = default_collate(_pad_to_largest([item["inputs"]["image"] for item in batch]))
    samples = [item["data_samples"] for item in batch]
    return {
        "inputs": {"images": images, **inputs},
        "data_samples": SamplesInTransit(samples) if get_worker_info() else samples,
    }


def _pad_to_largest(images: list[Tensor]) -> list[Tensor]:
    """Pad images (3, h, w) to one size."""
    height = max(image.shape[-2] for image in images)
    width = max(image.shape[-1] for image in images)
    if all(image.shape[-2:] == (height, width) for image in images):
        return images
    return [F.pad(i, (0, width - i.shape[-1], 0, height - i.shape[-2])) for i in images]
