import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from vgtoolbox.structures import GroundingDataSample, encode_masks, rle_boxes_xyxy

SIZE = (400, 500)


@pytest.fixture
def image():
    return np.full((*SIZE, 3), 100, np.uint8)


@pytest.fixture
def rectangles():
    """Return the run lengths of two rectangles on the image."""
    masks = torch.zeros((2, *SIZE), dtype=torch.bool)
    masks[0, 100:200, 50:150] = True
    masks[1, 250:350, 300:450] = True
    return encode_masks(masks)


@pytest.fixture
def make_record(rectangles):
    """Return a function that makes a record of `predictions.jsonl` with both rectangles."""

    def make(**changes):
        both = torch.zeros((1, *SIZE), dtype=torch.bool)
        both[0, 100:200, 50:150] = both[0, 250:350, 300:450] = True
        return {
            "expression": "both rectangles",
            "size": list(SIZE),
            "boxes_xyxy": rle_boxes_xyxy(rectangles).tolist(),
            "scores": [0.9, 0.8],
            "masks": rectangles,
            "merged_mask": encode_masks(both)[0],
            "no_target": False,
            "existence": 0.95,
        } | changes

    return make


@pytest.fixture
def targets(rectangles):
    return InstanceData(boxes_xyxy=rle_boxes_xyxy(rectangles), masks=rectangles)


@pytest.fixture
def no_targets():
    return InstanceData(boxes_xyxy=torch.zeros((0, 4)), masks=[])


@pytest.fixture
def sample(targets, make_record):
    record = make_record()
    return GroundingDataSample(
        metainfo={
            "sample_id": "1_2",
            "expression": "both rectangles",
            "ori_shape": SIZE,
            "img_shape": (32, 32),
        },
        gt_instances_ori=targets,
        pred_instances=InstanceData(
            boxes_xyxy=torch.tensor(record["boxes_xyxy"]),
            scores=torch.tensor(record["scores"]),
            masks=record["masks"],
        ),
        pred_merged_mask=record["merged_mask"],
        pred_existence=0.95,
        pred_no_target=False,
    )
