"""Recorded scaling and cropping map predictions back to the original frame, to half a pixel."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from vgtoolbox.datasets.transforms import (
    CenterCrop,
    LargeScaleJitter,
    LoadImage,
    LoadTargets,
    Pad,
    RandomTargetCrop,
    Resize,
    ResizeSide,
)
from vgtoolbox.structures import boxes_to_original, mask_logits_to_original, masks_to_boxes_xyxy

PIPELINES = {
    "stretch": [Resize((48, 40))],
    "letterbox": [Resize((48, 40), backend="pil", keep_ratio=True)],
    "long side and padding": [ResizeSide(64, rounding="half_up"), Pad((70, 64))],
    "crop": [RandomTargetCrop((20, 30))],
    "enlarged, cropped, stretched": [
        ResizeSide([60, 70], side="short"),
        RandomTargetCrop((40, 60)),
        Resize(64),
    ],
    "cropped twice": [RandomTargetCrop((30, 40)), Resize(50), RandomTargetCrop((45, 50))],
    "large scale jitter": [LargeScaleJitter(64, scale=(0.5, 1.2))],
}


@st.composite
def samples(draw):
    height, width = draw(st.integers(24, 60)), draw(st.integers(24, 60))
    x, y = draw(st.integers(0, width - 4)), draw(st.integers(0, height - 4))
    w, h = draw(st.integers(3, min(18, width - x))), draw(st.integers(3, min(18, height - y)))
    polygon = [x, y, x + w, y, x + w, y + h, x, y + h]
    target = {"bbox": [x, y, w, h], "segmentation": [polygon], "ann_id": 1}
    image = np.zeros((height, width, 3), np.uint8)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    return LoadTargets()(LoadImage()({"image": image, "targets": [target], "rng": rng}))


def _run(pipeline, results):
    for step in pipeline:
        results = step(results)
    return results


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES.keys())
@settings(max_examples=40)
@given(sample=samples())
def test_boxes_return_to_the_original_frame(pipeline, sample):
    results = _run(pipeline, sample)
    back = boxes_to_original(
        results["boxes"].as_subclass(torch.Tensor),
        results.get("scale_factor", (1.0, 1.0)),
        results["ori_shape"],
        offset=results.get("offset", (0.0, 0.0)),
    )
    assert (back - results["boxes_ori"]).abs().max() <= 0.5


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=PIPELINES.keys())
@pytest.mark.parametrize("resize", ["nearest", "bilinear"])
@settings(max_examples=20)
@given(sample=samples())
def test_masks_return_to_the_original_frame(pipeline, resize, sample):
    results = _run(pipeline, sample)
    masks = results["masks"].as_subclass(torch.Tensor)
    assume(bool(masks.any()))
    scale_factor = results.get("scale_factor", (1.0, 1.0))
    back = mask_logits_to_original(
        masks.float() * 10 - 5,
        threshold=0.5,
        img_shape=results["img_shape"] if "img_shape" in results else tuple(masks.shape[1:]),
        ori_shape=results["ori_shape"],
        resize=resize,
        scale_factor=scale_factor,
        offset=results.get("offset", (0.0, 0.0)),
    )
    assert back.shape[1:] == results["ori_shape"]
    # An edge moves by a pixel of the coarser frame on the way there, and by one on the way back.
    coarsest = max(1.0, 1 / min(scale_factor))
    error = (masks_to_boxes_xyxy(back) - results["boxes_ori"]).abs().max()
    assert error <= 2 * coarsest + 1e-3


def test_cropped_area_is_background():
    target = {"bbox": [0, 0, 20, 10], "segmentation": [[0, 0, 20, 0, 20, 10, 0, 10]], "ann_id": 1}
    image = np.zeros((10, 20, 3), np.uint8)
    results = CenterCrop((4, 6))(LoadTargets()(LoadImage()({"image": image, "targets": [target]})))
    back = mask_logits_to_original(
        torch.ones(1, 4, 6),
        threshold=0.5,
        img_shape=results["img_shape"],
        ori_shape=(10, 20),
        resize="nearest",
        scale_factor=(1.0, 1.0),
        offset=results["offset"],
    )
    assert masks_to_boxes_xyxy(back).tolist() == [[7, 3, 13, 7]]
    assert back.sum() == 24
