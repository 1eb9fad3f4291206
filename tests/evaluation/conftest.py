"""Small random samples with targets and predictions."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from mmengine.structures import InstanceData

from vgtoolbox.structures import (
    GroundingDataSample,
    encode_masks,
    masks_to_boxes_xyxy,
    merge_rles,
    resize_masks,
)

ORI_SHAPE = (24, 32)
IMG_SHAPE = (16, 16)
SampleFactory = Callable[..., GroundingDataSample]


def random_masks(count: int, generator: torch.Generator) -> torch.Tensor:
    """Return rectangles as masks (count, 24, 32)."""
    masks = torch.zeros(count, *ORI_SHAPE, dtype=torch.bool)
    for mask in masks:
        top, left = (int(torch.randint(0, side - 8, (), generator=generator)) for side in ORI_SHAPE)
        height, width = torch.randint(4, 9, (2,), generator=generator).tolist()
        mask[top : top + height, left : left + width] = True
    return masks


def build_sample(index: int, *, perfect: bool = False) -> GroundingDataSample:
    """Return sample `index` of a fixed random set: 0 to 2 targets, predictions of mixed quality."""
    generator = torch.Generator().manual_seed(index)
    targets = random_masks(index % 3, generator)
    guesses = targets if perfect else random_masks(2, generator)
    if not perfect and index % 2:
        guesses = torch.cat([targets, guesses[:1]])
    scores = (
        torch.full((len(guesses),), 0.9)
        if perfect
        else torch.rand(len(guesses), generator=generator)
    )
    kept = guesses[scores > 0.7]
    scale = (IMG_SHAPE[1] / ORI_SHAPE[1], IMG_SHAPE[0] / ORI_SHAPE[0])
    sample = GroundingDataSample(
        metainfo={
            "sample_idx": index,
            "sample_id": f"{index}_0",
            "img_path": f"images/{index}.jpg",
            "image_id": index,
            "ori_shape": ORI_SHAPE,
            "img_shape": IMG_SHAPE,
            "scale_factor": scale,
            "flip": False,
            "expression": "the left one",
            "expressions": ("The left one",),
            "split": "val",
        }
    )
    boxes = masks_to_boxes_xyxy(targets)
    sample.gt_instances_ori = InstanceData(boxes_xyxy=boxes, masks=encode_masks(targets))
    sample.gt_instances = InstanceData(
        boxes_xyxy=boxes * torch.tensor(scale * 2), masks=resize_masks(targets, IMG_SHAPE)
    )
    sample.pred_instances = InstanceData(
        boxes_xyxy=masks_to_boxes_xyxy(guesses), scores=scores, masks=encode_masks(guesses)
    )
    sample.pred_merged_mask = merge_rles(encode_masks(kept), ORI_SHAPE)
    sample.pred_existence = float(scores.max()) if len(scores) else 0.0
    sample.pred_no_target = len(kept) == 0
    return sample


def move_to_input(sample: GroundingDataSample) -> GroundingDataSample:
    """Return the sample with its targets as predictions in the input frame."""
    targets = sample.gt_instances
    sample.set_metainfo({"pred_frame": "input"})
    rles = encode_masks(targets.masks)
    sample.pred_instances = InstanceData(
        boxes_xyxy=targets.boxes_xyxy, scores=torch.ones(len(rles)), masks=rles
    )
    sample.pred_merged_mask = merge_rles(rles, IMG_SHAPE)
    sample.pred_no_target = len(rles) == 0
    return sample


@pytest.fixture(scope="session")
def make_sample() -> SampleFactory:
    return build_sample


@pytest.fixture(scope="session")
def make_input_frame_sample() -> SampleFactory:
    return lambda index: move_to_input(build_sample(index))
