"""The targets of a batch as padded tensors, in the form that losses compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from mmengine.structures import InstanceData
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from vgtoolbox.structures.boxes import normalize_boxes
from vgtoolbox.structures.data_sample import GroundingDataSample


@dataclass(frozen=True)
class BatchTargets:
    """Targets of B samples, padded to the N of the sample that has most.

    Attributes:
        boxes_cxcywh: (B, N, 4), normalised by the padded network input.
        masks: (B, N, H, W) bool, at the size of the network input; (B, N, 0, 0) where the samples
            have boxes only.
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
        targets = [sample.gt_instances for sample in samples]
        boxes = pad_sequence([instances.boxes_xyxy for instances in targets], batch_first=True)
        masks = pad_sequence([_masks(each, size) for each in targets], batch_first=True)
        counts = torch.tensor([len(instances) for instances in targets])
        is_valid = torch.arange(boxes.shape[1]) < counts[:, None]
        normalized = normalize_boxes(boxes.flatten(0, 1), size).view_as(boxes)
        return cls(
            boxes_cxcywh=normalized.to(device), masks=masks.to(device), is_valid=is_valid.to(device)
        )

    @property
    def merged_masks(self) -> Tensor:
        """Union of each sample's masks, (B, H, W) bool."""
        return self.masks.any(1)

    @property
    def no_target(self) -> Tensor:
        """Which samples have no target, (B,) bool."""
        return ~self.is_valid.any(1)


def _masks(instances: InstanceData, size: tuple[int, int]) -> Tensor:
    """Return the masks at `size` (N, H, W), or planes without a pixel where there are none."""
    if "masks" not in instances:
        return torch.zeros(len(instances), 0, 0, dtype=torch.bool)
    return _pad(instances.masks, size)


def _pad(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Pad masks (N, h, w) on the right and below to `size` (H, W)."""
    height, width = masks.shape[-2:]
    if (height, width) == size:
        return masks
    if height > size[0] or width > size[1]:
        raise ValueError(
            f"masks of {height} x {width} do not fit the input of {size[0]} x {size[1]}"
        )
    return F.pad(masks, (0, size[1] - width, 0, size[0] - height))
