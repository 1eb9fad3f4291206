import math

import pytest
import torch
from torchvision.ops import box_convert

from vgtoolbox.models.heads import QueryBoxHead
from vgtoolbox.registry import MODELS

MATCHER = {"type": "HungarianMatcher"}
LAYERS, QUERIES = 3, 4
UNWEIGHTED = {
    "class_weight": 1.0,
    "l1_weight": 1.0,
    "giou_weight": 1.0,
    "loss_weight": 1.0,
    "no_object_weight": 0.1,
}


def _head(**options):
    torch.manual_seed(0)
    return QueryBoxHead(channels=8, matcher=MATCHER, **options)


def _predictions(batch, queries=QUERIES, *, layers=LAYERS):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(layers, batch, queries, 2, generator=generator)
    boxes = 0.2 + 0.3 * torch.rand(layers, batch, queries, 4, generator=generator)
    points = torch.rand(batch, queries, 2, generator=generator)
    return logits.requires_grad_(), boxes.requires_grad_(), points


class TestForward:
    def test_initial_boxes_are_small_and_centered_at_the_references(self):
        references = 0.01 + 0.98 * torch.rand(2, QUERIES, 2)
        logits, boxes = _head()(torch.randn(LAYERS, 2, QUERIES, 8), references)
        assert logits.shape == (LAYERS, 2, QUERIES, 2)
        torch.testing.assert_close(boxes[..., :2], references.expand(LAYERS, -1, -1, -1))
        small = 1 / (1 + math.exp(2))
        torch.testing.assert_close(boxes[..., 2:], torch.full_like(boxes[..., 2:], small))

    def test_references_outside_the_image_are_clamped_to_its_border(self):
        references = torch.tensor([[[1.67, 0.5], [1.0, -0.3]]])
        _, boxes = _head()(torch.zeros(1, 1, 2, 8), references)
        expected = torch.tensor([[1000 / 1001, 0.5], [1000 / 1001, 1 / 1001]])
        torch.testing.assert_close(boxes[0, 0, :, :2], expected)

    def test_layers_share_weights(self):
        state, references = torch.randn(1, 2, QUERIES, 8), torch.rand(2, QUERIES, 2)
        logits, boxes = _head()(state.expand(LAYERS, -1, -1, -1), references)
        assert torch.equal(logits[0], logits[2])
        assert torch.equal(boxes[0], boxes[2])


class TestLoss:
    def test_agrees_with_mmdet(self, mmdet, make_targets):
        targets = make_targets((2, 0, 1))
        logits, boxes, points = _predictions(3, layers=1)
        losses, match = _head(**UNWEIGHTED).loss(logits, boxes, points, targets)
        labels = torch.ones(3, QUERIES, dtype=torch.long)
        labels[match.batch, match.query] = 0
        labels = labels.flatten()
        cross_entropy = MODELS.build({"type": "mmdet.CrossEntropyLoss", "class_weight": [1.0, 0.1]})
        weight_of_all = torch.where(labels == 0, 1.0, 0.1).sum()
        expected = cross_entropy(logits[0].flatten(0, 1), labels, avg_factor=weight_of_all)
        torch.testing.assert_close(losses["loss_class"], expected)
        predicted = boxes[0, match.batch, match.query]
        expected = targets.boxes_cxcywh[match.batch, match.target]
        l1 = MODELS.build({"type": "mmdet.L1Loss"})(predicted, expected, avg_factor=3)
        torch.testing.assert_close(losses["loss_l1"], l1)
        corners = [box_convert(b, "cxcywh", "xyxy") for b in (predicted, expected)]
        giou_loss = MODELS.build({"type": "mmdet.GIoULoss"})(*corners, avg_factor=3)
        torch.testing.assert_close(losses["loss_giou"], giou_loss, atol=1e-5, rtol=1e-5)

    def test_names_and_published_weights(self, make_targets):
        """The weights are 1, 5, 2 for the last layer and 1, 1, 1 for the others, all times 0.1."""
        logits, boxes, points = _predictions(1, layers=1)
        same = [tensor.expand(LAYERS, -1, -1, -1) for tensor in (logits, boxes)]
        losses, _ = _head().loss(*same, points, make_targets((2,)))
        terms, _ = _head(**UNWEIGHTED).loss(logits, boxes, points, make_targets((2,)))
        assert set(losses) == {prefix + term for prefix in ("d0.", "d1.", "") for term in terms}
        for term, weight in (("loss_class", 1), ("loss_l1", 5), ("loss_giou", 2)):
            torch.testing.assert_close(losses[term], 0.1 * weight * terms[term])
            torch.testing.assert_close(losses[f"d0.{term}"], 0.1 * terms[term])
            torch.testing.assert_close(losses[f"d1.{term}"], 0.1 * terms[term])

    @pytest.mark.parametrize(
        ("aux_weights", "expected"), [(None, (1, 5, 2)), ((0.5, 0.25, 4.0), (0.5, 0.25, 4.0))]
    )
    def test_aux_weights_apply_to_all_layers_but_the_last(
        self, make_targets, aux_weights, expected
    ):
        logits, boxes, points = _predictions(1, layers=1)
        same = [tensor.expand(LAYERS, -1, -1, -1) for tensor in (logits, boxes)]
        losses, _ = _head(aux_weights=aux_weights).loss(*same, points, make_targets((2,)))
        for term, aux, last in zip(
            ("loss_class", "loss_l1", "loss_giou"), expected, (1, 5, 2), strict=True
        ):
            torch.testing.assert_close(losses[f"d0.{term}"] * last, losses[term] * aux)

    def test_losses_by_hand(self, make_targets):
        targets = make_targets((1,))
        cx, cy, w, h = targets.boxes_cxcywh[0, 0].tolist()
        boxes = torch.tensor([[[[cx, cy, w, h / 2]]]])  # half of the target
        head = _head(**UNWEIGHTED)
        losses, match = head.loss(torch.zeros(1, 1, 1, 2), boxes, torch.rand(1, 1, 2), targets)
        assert losses["loss_class"].item() == pytest.approx(math.log(2))
        assert losses["loss_l1"].item() == pytest.approx(h / 2)
        assert losses["loss_giou"].item() == pytest.approx(0.5, rel=1e-4)
        assert [match.batch.tolist(), match.query.tolist(), match.target.tolist()] == [[0]] * 3

    def test_losses_of_perfect_predictions_are_zero(self, make_targets):
        targets = make_targets((3, 3))
        boxes = targets.boxes_cxcywh.expand(LAYERS, -1, -1, -1)
        logits = torch.tensor([20.0, -20.0]).expand(LAYERS, 2, 3, 2)
        losses, match = _head().loss(logits, boxes, targets.boxes_cxcywh[..., :2], targets)
        assert torch.equal(match.query, match.target)
        assert all(loss.item() < 1e-5 for loss in losses.values())

    def test_without_targets_only_classes_are_trained(self, make_targets):
        logits, boxes, points = _predictions(2)
        losses, match = _head().loss(logits, boxes, points, make_targets((0, 0)))
        assert len(match.query) == 0
        sum(losses.values()).backward()
        assert all(loss.isfinite() for loss in losses.values())
        assert losses["loss_l1"].item() == losses["loss_giou"].item() == 0
        assert logits.grad.isfinite().all()
        assert logits.grad.abs().sum() > 0  # all queries are trained as "no object"
        assert (boxes.grad == 0).all()

    def test_box_losses_are_averaged_over_all_targets_if_queries_are_too_few(self, make_targets):
        logits, boxes, points = _predictions(2, queries=2)
        targets = make_targets((5, 1))
        losses, match = _head(**UNWEIGHTED).loss(logits, boxes, points, targets)
        assert torch.bincount(match.batch).tolist() == [2, 1]
        matched = boxes[-1, match.batch, match.query]
        expected = targets.boxes_cxcywh[match.batch, match.target]
        torch.testing.assert_close(losses["loss_l1"], (matched - expected).abs().sum() / 6)
        sum(losses.values()).backward()
        assert boxes.grad.isfinite().all()

    def test_a_sample_without_targets_does_not_change_the_box_losses(self, make_targets):
        logits, boxes, points = _predictions(2)
        both, _ = _head().loss(logits, boxes, points, make_targets((2, 0)))
        alone, _ = _head().loss(logits[:, :1], boxes[:, :1], points[:1], make_targets((2,)))
        for term in ("loss_l1", "loss_giou"):
            torch.testing.assert_close(both[term], alone[term])


def test_predictions_are_those_of_the_last_layer():
    logits = torch.zeros(2, 1, 2, 2)
    logits[1] = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]])
    boxes = torch.rand(2, 1, 2, 4)
    boxes[1] = torch.tensor([[0.5, 0.5, 0.2, 0.4], [0.1, 0.1, 0.4, 0.2]])
    scores, corners = _head().predict(logits, boxes)
    torch.testing.assert_close(scores, torch.tensor([[0.75, 0.5]]))
    expected = torch.tensor([[[0.4, 0.3, 0.6, 0.7], [-0.1, 0.0, 0.3, 0.2]]])
    torch.testing.assert_close(corners, expected)
