"""From a collated batch to what the model reads: on its device, normalised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from vgtoolbox.registry import MODELS


@MODELS.register_module()
class GroundingDataPreprocessor(BaseDataPreprocessor):
    """Move a batch to the model's device and normalise its images.

    Data samples stay where they are, on the CPU: losses gather their targets into one padded tensor
    and move that, which is one copy instead of one for each sample and field.

    Args:
        mean: Of red, green, blue, on the scale 0..255.
        std: Likewise.
        non_blocking: Copy to the device asynchronously; of use with pinned memory.
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
            raise ValueError(f"expected three means and positive stds, got {mean} and {std}")
        # They belong to the config, not to the weights.
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare a batch.

        Args:
            data: What `grounding_collate` gives; `inputs["images"]` (B, 3, H, W) uint8 RGB.
            training: Has no effect; part of mmengine's interface.

        Returns:
            The same, `inputs` on the device, `images` normalised float32.
        """
        inputs = self.cast_data(data["inputs"])
        images = (inputs["images"] - self.mean).div_(self.std)  # uint8 - float32 is float32
        return {"inputs": {**inputs, "images": images}, "data_samples": data.get("data_samples")}
