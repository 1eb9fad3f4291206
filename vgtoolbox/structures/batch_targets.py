"""The targets of a batch as padded tensors, in the form that losses compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from vgtoolbox.structures.boxes import normalize_boxes
from vgtoolbox.structures.data_sample import GroundingDataSample


@dataclass(frozen=True)
class BatchTargets:
    """Targets of B samples, padded to the N of the sample that has most.

    Attributes:
        boxes_cxcywh: (B, N, 4), normalised by the padded network input.
        masks: (B, N, H, W) bool, at the size of the network input.
        is_valid: (B, N) bool, False for padding.
    """

    boxes_cxcywh: Tensor
    masks: Tensor
    is_valid: Tensor

    @classmethod
    def from_samples(
        cls, samples: Sequence[GroundingDataSample], size: tuple[int, int], device: torch.device
    ) -> BatchTargets:
        """Gather `gt_instances` of samples whose network input is padded to `size` (H, W)."""
        counts = [len(sample.gt_instances) for sample in samples]
        most, (height, width) = max(counts, default=0), size
        boxes = torch.zeros(len(samples), most, 4)
        masks = torch.zeros(len(samples), most, height, width, dtype=torch.bool)
        for index, (sample, count) in enumerate(zip(samples, counts, strict=True)):
            if count == 0:
                continue
            instances = sample.gt_instances
            boxes[index, :count] = normalize_boxes(instances.boxes_xyxy, size)
            mask_height, mask_width = instances.masks.shape[-2:]
            padding = (0, width - mask_width, 0, height - mask_height)
            masks[index, :count] = F.pad(instances.masks, padding)
        is_valid = torch.arange(most) < torch.tensor(counts, dtype=torch.long)[:, None]
        return cls(
            boxes_cxcywh=boxes.to(device), masks=masks.to(device), is_valid=is_valid.to(device)
        )

    @property
    def merged_masks(self) -> Tensor:
        """Union of each sample's masks, (B, H, W) bool."""
        return self.masks.any(1)

    @property
    def no_target(self) -> Tensor:
        """Which samples have no target, (B,) bool."""
        return ~self.is_valid.any(1)
