"""Move a collated batch to the model's device and normalize its images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from vgtoolbox.registry import MODELS


@MODELS.register_module()
class GroundingDataPreprocessor(BaseDataPreprocessor):
    """Move the inputs of a batch to the model's device and normalize its images.

    Data samples remain on the CPU: losses collect their targets in one padded tensor and move that,
    which is one copy instead of one per sample and field.

    Args:
        mean: Means of red, green and blue, on the scale 0..255.
        std: Standard deviations of red, green and blue, on the scale 0..255.
        non_blocking: Whether to copy to the device asynchronously, which helps with pinned memory.

    Raises:
        ValueError: `mean` or `std` does not have three values, or a value of `std` is not positive.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        mean: Sequence[float] = (123.675, 116.28, 103.53),
        std: Sequence[float] = (58.395, 57.12, 57.375),
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(
                "mean and std must have three values each, and those of std must be positive, "
                f"got mean={mean} and std={std}"
            )
        # Not persistent: they are part of the config, not of the weights.
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare a batch.

        Args:
            data: Batch made by `grounding_collate`, with `inputs["images"]` (B, 3, H, W) uint8 RGB.
            training: Whether the model trains; part of mmengine's interface and not used.

        Returns:
            New batch with `inputs` on the device and `images` (B, 3, H, W) normalized float32.
        """
        inputs = self.cast_data(data["inputs"])
        images = (inputs["images"] - self.mean).div_(self.std)  # uint8 - float32 is float32
        return {"inputs": {**inputs, "images": images}, "data_samples": data.get("data_samples")}
