"""Compare the published recipe with an independent implementation of its description."""

from __future__ import annotations

import copy
import inspect
from pathlib import Path

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope
from scipy.optimize import linear_sum_assignment

from vgtoolbox.engine import load_config
from vgtoolbox.registry import DATASETS, MODELS, TRANSFORMS

CONFIGS = Path(__file__).parents[3] / "configs"
# The sizes of tests/models/conftest.py; all options of the recipe keep the values of the config.
TINY = {
    "channels": 16,
    "backbone": {
        "embed_dim": 32,
        "depth": 2,
        "num_heads": 2,
        "ffn_dim": 48,
        "image_size": 32,
        "patch_size": 8,
        "vocab_size": 40,
        "num_text_positions": 12,
    },
    "neck": {"in_channels": 16, "out_channels": 16},
    "pixel_decoder": {"channels": 16},
    "query_selector": {"channels": 16, "num_heads": 2, "ffn_channels": 24},
    "decoder": {"channels": 16, "num_heads": 2, "ffn_channels": 24},
    "box_head": {"channels": 16},
    "semantic_mask_head": {"channels": 16},
    "existence_head": {"channels": 16},
}
# file: (text tokens, queries, batch, factors by epoch, weight of unmatched masks)
TEN = [0.5] + [1.0] * 5 + [0.1] * 4
TWENTY = [0.25, 0.5, 0.75] + [1.0] * 11 + [0.1] * 6
RECIPES = {
    "gres/InstanceVG-grefcoco.py": (50, 10, 16, TEN, 0.2),
    "refzom/InstanceVG-refzom.py": (50, 10, 16, TEN, 0.2),
    "rrefcoco/InstanceVG-rrefcoco.py": (50, 10, 16, TEN, 0.2),
    "refcoco/InstanceVG-B-refcoco.py": (20, 1, 16, TWENTY, 0.0),
    "refcoco/InstanceVG-L-refcoco.py": (20, 1, 4, TWENTY, 0.0),
}
JSON = [name.replace(".py", "-json.py") for name in RECIPES if "-L-" not in name]
HEAD_RATE, ENCODER_RATE, MAX_NORM = 5e-4, 5e-5, 0.15
BETAS, EPS = (0.9, 0.98), 1e-9


@pytest.fixture(params=RECIPES)
def recipe(request):
    """Return the config and the values in its description."""
    return load_config(CONFIGS / request.param), RECIPES[request.param]


def build_tiny(cfg):
    cfg = copy.deepcopy(cfg)
    cfg.merge_from_dict({"model": TINY})
    cfg.model.query_selector.num_queries = min(cfg.model.query_selector.num_queries, 4)
    torch.manual_seed(0)
    return MODELS.build(cfg.model)


class Optimization:
    """Optimizer and schedulers of a config, stepped as in mmengine's epoch-based loop."""

    def __init__(self, cfg, model):
        with DefaultScope.overwrite_default_scope("vgtoolbox"):
            self.wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
            self.schedulers = [
                PARAM_SCHEDULERS.build({**scheduler, "optimizer": self.wrapper.optimizer})
                for scheduler in cfg.param_scheduler
            ]

    def end_epoch(self):
        for scheduler in self.schedulers:
            scheduler.step()


def rates_by_name(model, optimizer):
    rate = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    return {name: rate[id(parameter)] for name, parameter in model.named_parameters()}


def test_configs_have_the_values_of_the_description(recipe):
    cfg, (tokens, queries, batch, factors, background) = recipe
    datasets = [cfg.train_dataloader.dataset, cfg.val_dataloader.dataset]
    datasets += [split.dataset for split in cfg.test_splits.values()]
    datasets = [part for d in datasets for part in d.get("datasets", [d])]
    for dataset in datasets:
        assert dataset.pipeline.tokenize.max_tokens == tokens
        assert dataset.pipeline.resize.size == 320
        assert not dataset.pipeline.resize.get("keep_ratio", False)
        assert not {"flip", "jitter", "crop", "pad"} & set(dataset.pipeline)
    assert cfg.model.query_selector.num_queries == queries
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.train_cfg.max_epochs == len(factors)
    assert cfg.model.query_mask_head.background_weight == background
    assert cfg.randomness.seed == 6666
    assert cfg.randomness.deterministic
    metrics = [metric for split in cfg.test_splits.values() for metric in split.evaluator]
    assert {metric.frame for metric in [*metrics, *cfg.val_evaluator]} == {"input"}


@pytest.mark.parametrize("name", [*RECIPES, *JSON])
def test_datasets_and_transforms_exist_and_accept_their_arguments(name):
    cfg = load_config(CONFIGS / name)
    datasets = [cfg.train_dataloader.dataset, cfg.val_dataloader.dataset]
    datasets += [split.dataset for split in cfg.test_splits.values()]
    for dataset in [part for d in datasets for part in d.get("datasets", [d])]:
        built = inspect.signature(DATASETS.get(dataset.type)).parameters
        assert set(dataset) - {"type"} <= set(built), name
        assert (dataset.type == "InstanceVGJsonDataset") == (name in JSON)
        # The targets of an R-RefCOCO ref depend on the sentence that is chosen.
        order = list(dataset.pipeline)
        assert "rrefcoco" not in name or order.index("choose") < order.index("targets")
        steps = dataset.pipeline.values()
        assert all(TRANSFORMS.get(step.type) for step in steps)


def test_learning_rate_of_every_epoch_and_parameter(recipe):
    cfg, (*_, factors, _) = recipe
    model = build_tiny(cfg)
    run = Optimization(cfg, model)
    assert type(run.wrapper.optimizer) is torch.optim.Adam
    assert run.wrapper.optimizer.defaults["amsgrad"]
    for factor in factors:
        for name, rate in rates_by_name(model, run.wrapper.optimizer).items():
            peak = ENCODER_RATE if name.startswith("backbone.") else HEAD_RATE
            assert rate == pytest.approx(factor * peak), name
        run.wrapper.optimizer.step()
        run.end_epoch()


@pytest.mark.parametrize("name", ["gres/InstanceVG-grefcoco.py", "refcoco/InstanceVG-B-refcoco.py"])
def test_losses_of_three_training_steps(name, make_batch):
    """Each of three epochs has one iteration: forward, losses, clipping, Adam, schedule."""
    cfg, (_, queries, _, factors, background) = load_config(CONFIGS / name), RECIPES[name]
    model = build_tiny(cfg).train()
    by_hand = ByHand(copy.deepcopy(model), background)
    run = Optimization(cfg, model)
    for step in range(3):
        inputs, samples = make_batch((2, 0, 1) if queries > 1 else (1, 1, 1), seed=step)
        torch.manual_seed(step)  # dropout and stochastic depth
        loss, _ = model.parse_losses(model.loss(inputs, samples))
        run.wrapper.update_params(loss)
        run.end_epoch()
        torch.manual_seed(step)
        expected, norm = by_hand.step(inputs, samples, factors[step])
        assert loss.item() == pytest.approx(expected, rel=1e-4), step
        assert norm > MAX_NORM, "gradients must be clipped in this test"
    moved = dict(by_hand.model.named_parameters())
    for key in ("backbone.patch_embed.weight", "box_head.classifier.weight", "text_proj.weight"):
        torch.testing.assert_close(model.get_parameter(key), moved[key], rtol=1e-3, atol=2e-5)


class ByHand:
    """Implementation of the recipe that does not use our losses, matcher, optimizer or schedule."""

    def __init__(self, model, background):
        self.model = model
        self.background = background
        self.steps = 0
        self.moments = {
            key: tuple(torch.zeros_like(p) for _ in range(3)) for key, p in model.named_parameters()
        }

    def step(self, inputs, samples, factor):
        """Return the loss before the step, and the norm of its gradient."""
        loss = total_loss(self.model.tensor(inputs), samples, self.background)
        gradients = dict(
            zip(
                dict(self.model.named_parameters()),
                torch.autograd.grad(loss, list(self.model.parameters()), allow_unused=True),
                strict=True,
            )
        )
        norm = sum(g.square().sum() for g in gradients.values() if g is not None).sqrt()
        self.steps += 1
        with torch.no_grad():
            for key, gradient in gradients.items():
                if gradient is not None:
                    rate = ENCODER_RATE if key.startswith("backbone.") else HEAD_RATE
                    self.adam(key, gradient * min(1.0, MAX_NORM / float(norm)), factor * rate)
        return loss.item(), float(norm)

    def adam(self, key, gradient, rate):
        """Update a parameter with AMSGrad, whose second moment never decreases (ICLR 2018)."""
        first, second, largest = self.moments[key]
        first.mul_(BETAS[0]).add_(gradient, alpha=1 - BETAS[0])
        second.mul_(BETAS[1]).add_(gradient.square(), alpha=1 - BETAS[1])
        largest.copy_(torch.maximum(largest, second))
        unbiased = (largest / (1 - BETAS[1] ** self.steps)).sqrt() + EPS
        parameter = self.model.get_parameter(key)
        parameter.sub_(rate / (1 - BETAS[0] ** self.steps) * first / unbiased)


def total_loss(output, samples, background):
    size = output.semantic_mask_logits.shape[-2:]
    boxes = [to_cxcywh(s.gt_instances.boxes_xyxy) / torch.tensor([*size, *size]) for s in samples]
    masks = [s.gt_instances.masks.float() for s in samples]
    union = torch.stack([m.any(0).float() for m in masks])
    empty = torch.tensor([int(not len(b)) for b in boxes])
    loss, pairs = detection_loss(output, boxes)
    logits = output.instance_mask_logits
    matched = [(logits[i][q], masks[i][t]) for i, (q, t) in enumerate(pairs)]
    loss = loss + segmentation_loss(*map(torch.cat, zip(*matched, strict=True)))
    if background:
        free = [sorted(set(range(logits.shape[1])) - set(q.tolist())) for q, _ in pairs]
        unmatched = torch.cat([logits[i][queries] for i, queries in enumerate(free)])
        loss = loss + background * segmentation_loss(unmatched, torch.zeros_like(unmatched))
    loss = loss + segmentation_loss(output.semantic_mask_logits[:, 0], union)
    pooled = output.attention_pooled
    stride = size[0] // pooled.shape[-1]
    loss = loss + 0.1 * segmentation_loss(pooled, union[:, ::stride, ::stride])
    return loss + 0.2 * weighted_ce(output.no_target_logits, empty, torch.tensor([0.9, 1.1]))


def detection_loss(output, boxes):
    count = max(sum(map(len, boxes)), 1)
    total = 0.0
    for layer, weights in enumerate([(1, 1, 1), (1, 1, 1), (1, 5, 2)]):
        logits, found = output.class_logits[layer], output.boxes_cxcywh[layer]
        pairs = [match(logits[i], found[i], output.points[i], b) for i, b in enumerate(boxes)]
        labels = torch.ones(logits.shape[:2], dtype=torch.long)
        l1 = giou = 0.0
        for i, (queries, targets) in enumerate(pairs):
            labels[i, queries] = 0
            l1 = l1 + (found[i][queries] - boxes[i][targets]).abs().sum()
            overlap = generalized_iou(found[i][queries], boxes[i][targets]).diagonal()
            giou = giou + (1 - overlap).sum()
        ce = weighted_ce(logits.flatten(0, 1), labels.flatten(), torch.tensor([1.0, 0.1]))
        terms = (ce, l1 / count, giou / count)
        total = total + 0.1 * sum(w * term for w, term in zip(weights, terms, strict=True))
    return total, pairs


@torch.no_grad()
def match(logits, found, points, boxes):
    cost = 5 * (found[:, None] - boxes).abs().sum(2) - logits.softmax(1)[:, :1]
    cost = cost - 2 * generalized_iou(found, boxes)
    cost = cost + 2 * (points[:, None] - boxes[:, :2]).abs().sum(2)
    return tuple(map(torch.as_tensor, linear_sum_assignment(cost.numpy())))


def generalized_iou(a, b):
    """Return GIoU of cxcywh boxes (N, 4) and (M, 4)."""
    a_low, a_high = (a[:, None, :2] - a[:, None, 2:] / 2), (a[:, None, :2] + a[:, None, 2:] / 2)
    b_low, b_high = (b[None, :, :2] - b[None, :, 2:] / 2), (b[None, :, :2] + b[None, :, 2:] / 2)
    inter = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(min=0).prod(2)
    union = a[:, None, 2:].prod(2) + b[None, :, 2:].prod(2) - inter
    hull = (torch.maximum(a_high, b_high) - torch.minimum(a_low, b_low)).prod(2)
    return inter / union - (hull - union) / hull


def weighted_ce(logits, labels, weights):
    chosen = logits.log_softmax(1)[torch.arange(len(labels)), labels]
    return -(weights[labels] * chosen).sum() / weights[labels].sum()


def segmentation_loss(logits, target):
    probability, target = logits.sigmoid().flatten(1), target.flatten(1)
    dice = 1 - (2 * (probability * target).sum(1) + 1) / (probability.sum(1) + target.sum(1) + 1)
    logits = logits.flatten(1)
    bce = torch.clamp(logits, min=0) - logits * target + torch.log1p(torch.exp(-logits.abs()))
    return dice.mean() + bce.mean()


def to_cxcywh(boxes):
    return torch.cat([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]], 1)
