from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.structures import InstanceData

from vgtoolbox.evaluation import GRECMetric, GRESMetric
from vgtoolbox.registry import MODELS
from vgtoolbox.structures import decode_masks, encode_masks, rle_boxes_xyxy

CONFIGS = Path(__file__).resolve().parents[3] / "configs" / "shapes"
# Smaller than the tiny config, for the batches of `make_batch`: 32 x 32 px, 8 tokens of 40.
SMALLER = {
    "channels": 16,
    "text_encoder": {"vocab_size": 40, "embed_dim": 16, "num_layers": 1, "ffn_dim": 16},
    "backbone": {
        "embed_dim": 16,
        "depth": 2,
        "window_size": 2,
        "global_blocks": (1,),
        "text_blocks": (1,),
        "position_grid_size": 4,
        "relative_grid_size": 4,
    },
    "decoder": {"channels": 16, "ffn_channels": 16},
    "box_head": {"channels": 16},
    "mask_head": {"in_channels": 8},
}
BOX_LOSSES = {"loss_center", "loss_l1", "loss_giou"}
MASK_LOSSES = {"loss_mask_focal", "loss_mask_dice"}


@pytest.fixture(scope="module")
def build():
    """Return a function that builds the model from seed 0, with changes to its config."""

    def build(name="PLVL-tiny-shapes.py", **changes):
        config = Config.fromfile(CONFIGS / name)
        smaller = {**SMALLER, "backbone": dict(SMALLER["backbone"])}
        if "late" in name:
            smaller["backbone"]["text_blocks"] = ()
        config.merge_from_dict({"model": smaller})
        config.merge_from_dict({"model": changes})
        torch.manual_seed(0)
        return MODELS.build(config.model)

    return build


def test_shapes_of_raw_outputs(build, make_batch):
    inputs, _ = make_batch((1, 1, 1))
    output = build().eval().tensor(inputs)
    assert output.text_features.shape == (3, 8, 16)
    assert output.image_features.shape == (3, 4, 4, 16)
    assert output.maps.score_map.shape == (3, 1, 4, 4)
    assert output.scores.shape == (3, 1)
    assert output.boxes_cxcywh.shape == (3, 1, 4)
    assert output.mask_logits.shape == (3, 1, 32, 32)


@pytest.mark.parametrize(
    ("tasks", "names"),
    [
        (("boxes", "masks"), BOX_LOSSES | MASK_LOSSES),
        (("boxes",), BOX_LOSSES),
        (("masks",), MASK_LOSSES),
    ],
)
def test_each_task_has_its_losses(build, make_batch, tasks, names):
    losses = build(tasks=tasks).loss(*make_batch((1, 1, 1)))
    assert set(losses) == names
    assert all(loss.isfinite() and loss > 0 for loss in losses.values())


def test_both_tasks_train_every_weight(build, make_batch):
    model = build()
    sum(model.loss(*make_batch((1, 1, 1))).values()).backward()
    untrained = {name for name, p in model.named_parameters() if p.grad is None}
    assert untrained == set()


def test_boxes_are_trained_on_data_without_masks(build, make_batch):
    inputs, samples = make_batch((1, 1, 1))
    for sample in samples:
        del sample.gt_instances.masks
    losses = build(tasks=("boxes",)).loss(inputs, samples)
    assert all(loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize("counts", [(0, 0), (1, 0, 3)])
def test_losses_of_samples_with_no_or_several_targets_are_finite(build, make_batch, counts):
    losses = build().loss(*make_batch(counts))
    assert all(loss.isfinite() for loss in losses.values())
    sum(losses.values()).backward()


@pytest.mark.parametrize("name", ["PLVL-tiny-shapes.py", "PLVL-tiny-shapes-late.py"])
def test_outputs_depend_on_the_words_in_either_variant(build, make_batch, name):
    model = build(name).eval()
    inputs, _ = make_batch((1, 1))
    before = model.tensor(inputs)
    other = {**inputs, "token_ids": inputs["token_ids"].flip(1)}
    after = model.tensor(other)
    assert not torch.allclose(before.mask_logits, after.mask_logits)
    is_late = "late" in name
    assert torch.equal(before.image_features, after.image_features) == is_late


@torch.no_grad()
def test_predictions_are_in_the_original_image(build, make_batch):
    inputs, samples = make_batch((1, 0, 1))
    model = build(postprocessor={"score_thr": 0.0}).eval()
    output, found = model.tensor(inputs), model.predict(inputs, samples)
    height, width = 48, 64
    for index, sample in enumerate(found):
        instances = sample.pred_instances
        cx, cy, w, h = output.boxes_cxcywh[index, 0].tolist()
        corners = [(cx - w / 2) * width, (cy - h / 2) * height, (cx + w / 2) * width]
        expected = [min(max(c, 0), limit) for c, limit in zip(corners, (64, 48, 64), strict=True)]
        assert instances.boxes_xyxy[0, :3].tolist() == pytest.approx(expected, abs=1e-3)
        assert instances.scores.tolist() == pytest.approx(output.scores[index].tolist())
        assert sample.pred_existence == pytest.approx(output.scores[index].item())
        assert not sample.pred_no_target
        assert instances.masks[0]["size"] == [height, width]
        assert sample.pred_merged_mask == instances.masks[0]


@torch.no_grad()
def test_scores_below_the_threshold_mean_no_target(build, make_batch):
    inputs, samples = make_batch((1, 0))
    model = build(postprocessor={"score_thr": 0.999}).eval()
    for sample in model.predict(inputs, samples):
        assert sample.pred_no_target
        assert decode_masks([sample.pred_merged_mask]).shape == (1, 48, 64)


@torch.no_grad()
def test_predictions_contain_only_the_trained_tasks(build, make_batch):
    inputs, samples = make_batch((1, 1))
    for sample in build(tasks=("boxes",)).eval().predict(inputs, samples):
        assert "masks" not in sample.pred_instances
        assert "pred_merged_mask" not in sample
    inputs, samples = make_batch((1, 1))
    for sample in build(tasks=("masks",)).eval().predict(inputs, samples):
        instances = sample.pred_instances
        assert torch.equal(instances.boxes_xyxy, rle_boxes_xyxy(instances.masks))


def test_a_prediction_does_not_depend_on_its_batch(build, make_batch):
    inputs, _ = make_batch((1, 1, 1), lengths=[8, 5, 3])
    model = build().eval()
    together = model.tensor(inputs)
    alone = model.tensor({key: value[1:2] for key, value in inputs.items()})
    torch.testing.assert_close(together.mask_logits[1:2], alone.mask_logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(together.boxes_cxcywh[1:2], alone.boxes_cxcywh)


def test_under_autocast_losses_are_finite(build, make_batch):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses = build().loss(*make_batch((1, 1)))
    assert all(loss.isfinite() and loss.dtype == torch.float32 for loss in losses.values())


@pytest.mark.parametrize("tasks", [(), ("boxes", "points")])
def test_unknown_tasks(build, tasks):
    with pytest.raises(ValueError, match="tasks must be 'boxes', 'masks' or both"):
        build(tasks=tasks)


@torch.no_grad()
@pytest.mark.parametrize(("score_thr", "rejects"), [(0.0, False), (0.999, True)])
def test_no_target_metrics_use_the_score(build, make_batch, score_thr, rejects):
    inputs, samples = make_batch((1, 0, 1))
    for index, sample in enumerate(samples):
        count = len(sample.gt_instances)
        mask = torch.ones(count, 48, 64, dtype=torch.bool)
        boxes = torch.tensor([[0.0, 0.0, 64.0, 48.0]]).expand(count, 4)
        sample.gt_instances_ori = InstanceData(boxes_xyxy=boxes, masks=encode_masks(mask))
        sample.set_metainfo({"img_path": f"{index}.jpg"})
    model = build(postprocessor={"score_thr": score_thr}).eval()
    predicted = [sample.to_dict() for sample in model.predict(inputs, samples)]
    for metric, name in ((GRECMetric(score_thr=score_thr), "grec"), (GRESMetric(), "gres")):
        metric.process(None, predicted)
        values = metric.evaluate(3)
        assert values[f"{name}/N-acc"] == (100 if rejects else 0)
        assert values[f"{name}/T-acc"] == (0 if rejects else 100)
