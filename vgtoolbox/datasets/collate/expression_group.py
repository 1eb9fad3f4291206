"""Stack images that come with a group of expressions each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from vgtoolbox.datasets.collate.batch_transfer import ready_to_send
from vgtoolbox.datasets.collate.grounding import grounding_collate
from vgtoolbox.registry import FUNCTIONS


@FUNCTIONS.register_module()
def group_collate(batch: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Stack the results of `PackExpressionGroup`.

    Returns:
        `{"inputs": {"images": (I, 3, H, W) uint8, "image_index": (B,)}, "data_samples": list of B
        samples}`, where `image_index` is the position of each sample's image in `images`.
    """
    stacked = grounding_collate(batch)
    counts = torch.tensor([len(item["data_samples"]) for item in batch])
    image_index = torch.repeat_interleave(torch.arange(len(batch)), counts)
    samples = [sample for item in batch for sample in item["data_samples"]]
    inputs = {**stacked["inputs"], "image_index": image_index}
    return ready_to_send({"inputs": inputs, "data_samples": samples})
