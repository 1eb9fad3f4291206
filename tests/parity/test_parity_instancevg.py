"""Parity of InstanceVG with recorded outputs of the published models."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from vgtoolbox.checkpoint import load_state_dict_strict, match_state_dict
from vgtoolbox.checkpoint.layouts import instancevg
from vgtoolbox.engine import load_config
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import GroundingDataSample, rle_areas

ROOT = Path(__file__).parents[2]
RECORDINGS = "instancevg_*_seed*.npz"
LAYOUTS = "instancevg_*.tsv"
CONFIGS = {
    "base_grefcoco": "gres/InstanceVG-grefcoco.py",
    "base_refcoco": "refcoco/InstanceVG-B-refcoco.py",
    "large_refcoco": "refcoco/InstanceVG-L-refcoco.py",
}
BOXES = torch.tensor([[20.0, 30.0, 120.0, 200.0], [150.0, 40.0, 260.0, 160.0]])


class Case:
    """Recorded outputs, the published weights they were recorded with, and our model with them."""

    def __init__(self, path: Path, published_weights):
        self.layout, seed = re.fullmatch(r"instancevg_(\w+)_seed(\d+)", path.stem).groups()
        self.golden = np.load(path)
        self.published = published_weights(f"instancevg_{self.layout}", int(seed))
        cfg = load_config(ROOT / "configs" / CONFIGS[self.layout])
        self.model = MODELS.build(cfg.model).eval()
        self.report = load_state_dict_strict(self.model, self.published, source=path.stem)
        rng = np.random.Generator(np.random.PCG64([int(seed), 12345]))
        images = rng.standard_normal((2, 3, 320, 320), dtype=np.float32)
        self.inputs = {
            "images": torch.from_numpy(images),
            "token_ids": torch.from_numpy(self.golden["token_ids"]).long(),
            "text_padding_mask": torch.from_numpy(self.golden["text_padding_mask"]).bool(),
        }
        with torch.no_grad():
            self.output = self.model.tensor(self.inputs)

    def samples(self) -> list[GroundingDataSample]:
        """Return the recorded targets for original images of 640 x 480."""
        counts = (2, 0) if self.layout.endswith("grefcoco") else (1, 1)
        return [_sample(index, BOXES[:count]) for index, count in enumerate(counts)]


def _shapes(layout: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a layout file; those whose values are not compared take no memory."""
    state = {}
    for line in layout.read_text().splitlines():
        key, shape, dtype = line.split("\t")
        device = "cpu" if re.search(r"(class|bbox)_embed\.\d", key) else "meta"
        state[key] = torch.zeros(json.loads(shape), dtype=getattr(torch, dtype), device=device)
    return state


def _sample(index: int, boxes: torch.Tensor) -> GroundingDataSample:
    masks = torch.zeros(len(boxes), 320, 320, dtype=torch.bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1:y2, x1:x2] = True
    return GroundingDataSample(
        metainfo={
            "sample_idx": index,
            "ori_shape": (480, 640),
            "img_shape": (320, 320),
            "scale_factor": (320 / 640, 320 / 480),
        },
        gt_instances=InstanceData(boxes_xyxy=boxes, masks=masks),
    )


@pytest.fixture(scope="module")
def case(recording, published_weights) -> Case:
    return Case(recording, published_weights)


def test_the_published_layout_is_that_of_the_config(layout):
    """Compare only names and shapes, without allocating the weights."""
    cfg = load_config(ROOT / "configs" / CONFIGS[layout.stem.removeprefix("instancevg_")])
    with torch.device("meta"):
        model = MODELS.build(cfg.model)
    published = _shapes(layout)
    ours, report = match_state_dict(model, published, source=layout.name)
    assert report.complete
    assert {key: value.dtype for key, value in ours.items()} == {
        key: value.dtype for key, value in model.state_dict().items()
    }
    back = instancevg.LAYOUT.to_published(ours)
    used = {key: value for key, value in published.items() if not instancevg.is_unused(key)}
    assert {key: (v.shape, v.dtype) for key, v in back.items()} == {
        key: (v.shape, v.dtype) for key, v in used.items()
    }


def test_published_weights_fill_every_parameter(case):
    assert case.report.complete
    assert case.report.layout == instancevg.LAYOUT.name


def test_round_trip_restores_the_published_state_dict(case):
    ours = instancevg.LAYOUT.to_ours(case.published, case.model)
    back = instancevg.LAYOUT.to_published(ours)
    unused = {key for key in case.published if instancevg.is_unused(key)}
    assert set(back) == set(case.published) - unused
    assert all(torch.equal(back[key], case.published[key]) for key in back)


def test_raw_outputs(case):
    output, golden = case.output, case.golden
    grid = np.s_[..., 3::16, 5::16]
    ours = {
        "encoder_image": output.encoder_image[:, ::23, ::29],
        "encoder_text": output.encoder_text[:, :, ::29],
        "encoder_cls": output.encoder_cls[:, ::7],
        "attention_pooled": output.attention_pooled,
        "query_content": output.query_content,
        "initial_reference": output.initial_reference,
        "unet": output.pixel_map[grid][:, ::16],
        "class_logits": output.class_logits[-1],
        "boxes_cxcywh": output.boxes_cxcywh[-1],
        "no_target_logits": output.no_target_logits,
        "instance_mask_logits": output.instance_mask_logits[grid],
        "semantic_mask_logits": output.semantic_mask_logits[grid],
    }
    assert np.array_equal(output.points.numpy(), golden["points"])
    for name, array in ours.items():
        np.testing.assert_allclose(array.numpy(), golden[name], rtol=0, atol=1e-4, err_msg=name)


def test_losses(case):
    with torch.no_grad():
        losses = case.model.loss(case.inputs, case.samples())
    parts = {
        "loss_det": ("loss_class", "loss_l1", "loss_giou"),
        "loss_mask": ("mask", "loss_attention"),
        "loss_no_target": ("loss_existence",),
    }
    for name, words in parts.items():
        total = sum(loss for key, loss in losses.items() if any(word in key for word in words))
        assert float(total) == pytest.approx(case.golden[name].item(), rel=1e-5), name


def test_predictions_in_the_original_image(case):
    # As in the published demo; metrics are published for the input frame.
    assert case.model.postprocessor.frame == "input"
    case.model.postprocessor.frame = "original"
    with torch.no_grad():
        samples = case.model.predict(case.inputs, case.samples())
    for index, sample in enumerate(samples):
        predicted, golden = sample.pred_instances, case.golden
        scores, boxes = golden[f"final_scores_{index}"], golden[f"final_boxes_{index}"]
        np.testing.assert_allclose(predicted.scores, scores, rtol=0, atol=1e-4)
        # Boxes are in pixels of a 640 x 480 image; the tolerance is 1e-4 in normalized coordinates.
        np.testing.assert_allclose(predicted.boxes_xyxy, boxes, rtol=0, atol=1e-4 * 640)
        area = rle_areas([sample.pred_merged_mask])[0]
        assert area == golden[f"final_merged_mask_area_{index}"]
