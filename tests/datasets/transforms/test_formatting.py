import warnings

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose

from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.structures import decode_masks, masks_to_boxes_xyxy


def _run(pipeline, **record):
    steps = Compose([TRANSFORMS.build(step) for step in pipeline.values()])
    return steps({"sample_idx": 4, "sample_id": "5_9", "img_path": "a.jpg", **record})


def _square(x, y, side):
    polygon = [x, y, x + side, y, x + side, y + side, x, y + side]
    return {"bbox": [x, y, side, side], "segmentation": [polygon], "ann_id": 1}


def test_sample_is_packed(pipeline):
    packed = _run(
        pipeline,
        image=np.full((64, 32, 3), 50, np.uint8),
        expressions=["The Red circle!"],
        targets=[_square(0, 0, 16), _square(8, 8, 20)],
        image_id=3,
        split="val",
    )
    inputs, sample = packed["inputs"], packed["data_samples"]
    assert set(inputs) == {"image", "token_ids", "text_padding_mask"}
    assert type(inputs["image"]) is torch.Tensor
    assert inputs["image"].is_contiguous()
    assert inputs["image"].shape == (3, 32, 32)
    assert sample.metainfo == {
        "sample_idx": 4,
        "sample_id": "5_9",
        "img_path": "a.jpg",
        "image_id": 3,
        "split": "val",
        "ori_shape": (64, 32),
        "img_shape": (32, 32),
        "scale_factor": (1.0, 0.5),
        "flip": False,
        "expression": "the red circle",
        "expressions": ("The Red circle!",),
    }
    assert type(sample.gt_instances.boxes_xyxy) is torch.Tensor
    assert sample.gt_instances.boxes_xyxy.tolist() == [[0, 0, 16, 8], [8, 4, 28, 14]]
    assert type(sample.gt_instances.masks) is torch.Tensor
    assert sample.gt_instances.masks.shape == (2, 32, 32)
    assert sample.gt_instances_ori.boxes_xyxy.tolist() == [[0, 0, 16, 16], [8, 8, 28, 28]]
    masks = decode_masks(sample.gt_instances_ori.masks)
    assert torch.equal(masks_to_boxes_xyxy(masks), sample.gt_instances_ori.boxes_xyxy)


def test_original_frame_is_packed_if_kept(pipeline):
    pipeline["targets"] = {"type": "LoadTargets", "keep_original": False}
    image = np.zeros((8, 8, 3), np.uint8)
    packed = _run(pipeline, image=image, expressions=["red"], targets=[])
    assert "gt_instances_ori" not in packed["data_samples"]
    assert packed["data_samples"].no_target


@pytest.mark.parametrize("targets", [[], [_square(0, 0, 1)]])
def test_image_of_one_pixel_is_packed(pipeline, targets):
    image = np.full((1, 1, 3), 9, np.uint8)
    packed = _run(pipeline, image=image, expressions=["red"], targets=targets)
    assert (packed["inputs"]["image"] == 9).all()
    sample = packed["data_samples"]
    assert sample.no_target is (not targets)
    assert sample.gt_instances.masks.all()
    assert sample.gt_instances.boxes_xyxy.tolist() == [[0, 0, 32, 32]] * len(targets)


@pytest.mark.parametrize("expression", ["犬 und Straße, naïve 🐕", "red circle " * 250])
def test_any_expression_is_packed(pipeline, expression):
    image = np.zeros((8, 8, 3), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        packed = _run(pipeline, image=image, expressions=[expression], targets=[])
    assert packed["inputs"]["token_ids"].shape == (16,)
    assert packed["data_samples"].expressions == (expression,)


def test_sample_without_masks_is_packed(pipeline):
    pipeline["targets"] = {"type": "LoadTargets", "with_masks": False}
    pipeline["crop"] = {"type": "RandomTargetCrop", "size": (20, 32)}
    steps = ("load", "targets", "choose", "clean", "resize", "crop", "pack")
    target = {"bbox": [2, 2, 4, 4], "segmentation": None, "ann_id": 1}
    packed = _run(
        {name: pipeline[name] for name in steps},
        image=np.zeros((8, 8, 3), np.uint8),
        expressions=["red"],
        targets=[target],
        rng=np.random.default_rng(0),
    )["data_samples"]
    assert "masks" not in packed.gt_instances
    assert "masks" not in packed.gt_instances_ori
    offset = packed.get("offset", (0.0, 0.0))
    expected = torch.tensor([[8.0, 8.0, 24.0, 24.0]]) + torch.tensor(offset * 2)
    assert torch.equal(packed.gt_instances.boxes_xyxy, expected)


def test_masks_that_were_not_resized_are_decoded(pipeline):
    steps = {name: pipeline[name] for name in ("load", "choose", "pack")}
    lazy = {"type": "LoadTargets", "dense": False}
    image = np.zeros((8, 8, 3), np.uint8)
    packed = _run(
        {"load": steps["load"], "targets": lazy, **steps},
        image=image,
        expressions=["red"],
        targets=[_square(1, 2, 3)],
    )["data_samples"]
    assert masks_to_boxes_xyxy(packed.gt_instances.masks).tolist() == [[1, 2, 4, 5]]
