"""Targets of a batch as padded tensors, for losses and matchers."""

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
    """Targets of B samples, padded to the largest number N of targets of a sample.

    Attributes:
        boxes_cxcywh: Boxes (B, N, 4), normalized by the size of the padded network input.
        masks: Masks (B, N, H, W) bool, at the size of the padded network input; (B, N, 0, 0) if the
            samples have only boxes.
        is_valid: Whether a target is valid rather than padding, (B, N) bool.
    """

    boxes_cxcywh: Tensor
    masks: Tensor
    is_valid: Tensor

    @classmethod
    def from_samples(
        cls, samples: Sequence[GroundingDataSample], size: tuple[int, int], device: torch.device
    ) -> BatchTargets:
        """Collect the `gt_instances` of samples.

        Args:
            samples: Samples with `gt_instances`: `boxes_xyxy` (N_i, 4) and optionally `masks`
                (N_i, H_i, W_i), in the input frame.
            size: Height and width (H, W) of the padded network input.
            device: Device of the result.

        Raises:
            ValueError: Masks are larger than `size`.
        """
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
        """Whether a sample has no target, (B,) bool."""
        return ~self.is_valid.any(1)


def _masks(instances: InstanceData, size: tuple[int, int]) -> Tensor:
    """Return the masks padded to `size`, (N, H, W), or (N, 0, 0) if the instances have none."""
    if "masks" not in instances:
        return torch.zeros(len(instances), 0, 0, dtype=torch.bool)
    return _pad(instances.masks, size)


def _pad(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Pad masks (N, h, w) at the right and bottom to `size` (H, W)."""
    height, width = masks.shape[-2:]
    if (height, width) == size:
        return masks
    if height > size[0] or width > size[1]:
        raise ValueError(
            f"masks must not be larger than the padded input, {size[0]} x {size[1]} (height x "
            f"width), got {height} x {width}"
        )
    return F.pad(masks, (0, size[1] - width, 0, size[0] - height))
