"""Parity of PLVL with recorded outputs of the published model."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from vgtoolbox.checkpoint import load_state_dict_strict
from vgtoolbox.checkpoint.layouts import plvl
from vgtoolbox.evaluation import RECMetric, RESMetric
from vgtoolbox.models.losses import gaussian_heatmap
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import BatchTargets, GroundingDataSample, denormalize_boxes

ROOT = Path(__file__).parents[2]
RECORDINGS = "plvl_seed*.npz"
CONFIG = ROOT / "configs" / "_base_" / "models" / "plvl_vitdet_base.py"
SIZE = (448, 448)
# Published names of the losses.
LOSSES = {
    "loss_giou": "giou_loss",
    "loss_l1": "l1_loss",
    "loss_center": "focal_loss_box",
    "loss_mask_focal": "focal_loss_seg",
    "loss_mask_dice": "dice_loss",
}


class Case:
    """Recorded outputs, the published weights they were recorded with, and our model with them."""

    def __init__(self, path: Path, published_weights):
        seed = int(re.fullmatch(r"plvl_seed(\d+)", path.stem)[1])
        self.golden = np.load(path)
        self.published = published_weights("plvl", seed)
        model = Config.fromfile(CONFIG).model
        model.postprocessor.frame = "input"  # the frame of the published metrics
        self.model = MODELS.build(model).eval()
        self.report = load_state_dict_strict(self.model, self.published, source=path.stem)
        rng = np.random.Generator(np.random.PCG64([seed, 12345]))
        images = torch.from_numpy(rng.standard_normal((2, 3, *SIZE), dtype=np.float32))
        is_token = self.golden["mask"] == 1
        for mask in is_token:  # drawn between images and masks in the recording
            rng.integers(1000, 30000, mask.sum())
        masks = torch.from_numpy(rng.random((2, *SIZE)) > 0.8)
        self.inputs = {
            "images": images,
            "token_ids": torch.from_numpy(self.golden["ids"]),
            "text_padding_mask": torch.from_numpy(~is_token),
        }
        boxes = denormalize_boxes(torch.from_numpy(self.golden["target_cxcywh"]), SIZE)
        self.samples = [_sample(i, boxes[i : i + 1], masks[i : i + 1]) for i in range(2)]
        with torch.no_grad():
            self.output = self.model.tensor(self.inputs)


def _sample(index: int, boxes: torch.Tensor, masks: torch.Tensor) -> GroundingDataSample:
    meta = {
        "sample_idx": index,
        "img_path": f"{index}.jpg",
        "ori_shape": SIZE,
        "img_shape": SIZE,
        "scale_factor": (1.0, 1.0),
    }
    targets = InstanceData(boxes_xyxy=boxes, masks=masks)
    return GroundingDataSample(metainfo=meta, gt_instances=targets)


@pytest.fixture(scope="module")
def case(recording, published_weights) -> Case:
    return Case(recording, published_weights)


def test_published_weights_fill_every_parameter(case):
    assert case.report.complete
    assert case.report.layout == plvl.LAYOUT.name
    assert (len(case.published), len(case.report.matched)) == (542, 518)


def test_round_trip_restores_the_published_state_dict(case):
    back = plvl.LAYOUT.to_published(plvl.LAYOUT.to_ours(case.published, case.model))
    used = {key for key in case.published if not plvl.is_unused(key, case.published)}
    assert set(back) == used
    assert all(torch.equal(back[key], case.published[key]) for key in back)


def test_raw_outputs(case):
    output, golden = case.output, case.golden
    visual = output.image_features.flatten(1, 2).transpose(0, 1)  # (784, 2, 768)
    ours = {
        "text_feat": output.text_features[:, :, ::17],
        "visual": visual[::7, :, ::11],
        "score_map": output.maps.score_map,
        "size_map": output.maps.size_map,
        "offset_map": output.maps.offset_map,
        "pred_boxes": output.boxes_cxcywh,
        "pred_mask": output.mask_logits.sigmoid()[..., 3::8, 5::8],
    }
    for name, array in ours.items():
        np.testing.assert_allclose(array.numpy(), golden[name], rtol=0, atol=1e-4, err_msg=name)
    scores = golden["score_map"].reshape(2, -1).max(1)
    np.testing.assert_allclose(output.scores[:, 0].numpy(), scores, rtol=0, atol=1e-4)


def test_heatmap(case):
    boxes = torch.from_numpy(case.golden["target_cxcywh"])[:, None]
    is_valid = torch.ones(2, 1, dtype=torch.bool)
    heatmap = gaussian_heatmap(boxes, is_valid, (28, 28), keep_inside=False)
    np.testing.assert_allclose(heatmap.numpy(), case.golden["heatmap"], rtol=0, atol=1e-6)


def test_losses(case):
    targets = BatchTargets.from_samples(case.samples, SIZE, torch.device("cpu"))
    output = case.output
    losses = case.model.box_head.loss(output.maps, targets)
    losses |= case.model.mask_head.loss(output.mask_logits, targets)
    assert set(losses) == set(LOSSES)
    for ours, published in LOSSES.items():
        golden = case.golden[f"loss.{published}"].item()
        assert float(losses[ours]) == pytest.approx(golden, rel=1e-5), ours


def test_metrics_in_the_input_frame(case):
    with torch.no_grad():
        samples = case.model.predict(case.inputs, case.samples)
    rec, res = RECMetric(frame="input"), RESMetric(frame="input")
    for metric in (rec, res):
        metric.process(None, [sample.to_dict() for sample in samples])
    hits = 100 * (case.golden["box_iou"] >= 0.5).mean()
    assert rec.evaluate(2)["rec/Acc@0.5"] == pytest.approx(hits)
    # Equal for every pixel, except for probabilities within rounding error of 0.5.
    assert res.evaluate(2)["res/mIoU"] == pytest.approx(100 * case.golden["mask_miou"], abs=0.01)
