"""Configs of InstanceVG's ablations: each disables the stated parts and trains."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from vgtoolbox.engine import load_config
from vgtoolbox.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
BOXES = {prefix + term for prefix in ("", "d0.") for term in ("loss_l1", "loss_giou")}
CLASSES = {prefix + "loss_class" for prefix in ("", "d0.")}
INSTANCES = {"loss_instance_mask", "loss_background_mask"}
# Names of the losses that an ablation disables.
OFF = {
    "published": set(),
    "no-queries": BOXES | CLASSES | INSTANCES,
    "no-instances": INSTANCES,
    "no-points": set(),
    "boxes-only": INSTANCES | {"loss_semantic_mask"},
    "masks-only": BOXES,
}


@pytest.fixture
def read(monkeypatch):
    """Return a function that reads the config of an ablation at a size."""

    def read(name, size="tiny"):
        monkeypatch.setenv("SHAPES_SIZE", size)
        return load_config(CONFIGS / "shapes" / f"InstanceVG-ablation-{name}.py")

    return read


@pytest.mark.parametrize("name", OFF)
def test_an_ablation_trains_with_its_losses_disabled(name, read, make_batch):
    model = read(name).model
    model.backbone.update(image_size=32)
    torch.manual_seed(0)
    model = MODELS.build(model)
    losses = model.loss(*make_batch())
    assert {key for key, value in losses.items() if value == 0} == OFF[name]
    sum(losses.values()).backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    assert math.isfinite(norm)
    before = model.backbone.token_embed.weight.clone()
    torch.optim.AdamW(model.parameters(), lr=1e-3).step()
    assert not torch.equal(before, model.backbone.token_embed.weight)


@pytest.mark.parametrize("name", OFF)
def test_an_ablation_has_the_same_options_at_both_sizes(name, read):
    tiny, small = read(name, "tiny"), read(name, "small")
    assert small.train_dataloader.dataset.pipeline.resize.size == 128
    assert tiny.train_dataloader.dataset.pipeline.resize.size == 64
    with torch.device("meta"):
        models = [MODELS.build(cfg.model) for cfg in (tiny, small)]
    few, many = (sum(p.numel() for p in model.parameters()) for model in models)
    assert many > 3 * few
    for part in ("query_mask_head", "attention_loss"):
        assert tiny.model[part] == small.model[part]


def test_the_published_ablation_has_the_options_of_the_preset(read):
    preset = load_config(CONFIGS / "_base_" / "models" / "instancevg_published.py").model
    model = read("published").model
    options = {
        "query_selector": ["token_score"],
        "decoder": ["reference"],
        "box_head": ["aux_weights"],
        "existence_head": ["activation"],
        "attention_loss": ["form"],
        "postprocessor": ["mask_resize"],
    }
    for part, names in options.items():
        assert [model[part][name] for name in names] == [preset[part][name] for name in names]


def test_without_points_queries_are_not_matched_by_points(read):
    model = read("no-points").model
    assert model.decoder.reference == "content"
    assert model.box_head.matcher.point_cost == 0


def test_with_masks_only_boxes_are_not_used_for_matching_or_suppression(read):
    model = read("masks-only").model
    matcher = model.box_head.matcher
    assert (matcher.l1_cost, matcher.giou_cost) == (0, 0)
    assert matcher.class_cost > 0
    assert matcher.point_cost > 0
    assert model.postprocessor.nms_thr is None


@pytest.mark.parametrize("exists", [True, False])
def test_without_queries_only_existence_decides(exists, read, make_batch):
    model = read("no-queries").model
    model.backbone.update(image_size=32)
    torch.manual_seed(0)
    model = MODELS.build(model).eval()
    last = [layer for layer in model.existence_head.modules() if hasattr(layer, "bias")][-1]
    last.bias.data.copy_(torch.tensor([9.0, -9.0] if exists else [-9.0, 9.0]))
    with torch.no_grad():
        samples = model.predict(*make_batch())
    assert [sample.pred_no_target for sample in samples] == [not exists] * len(samples)
