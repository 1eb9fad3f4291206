import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.structures import InstanceData
from torchvision.ops import box_convert

from vgtoolbox.models.matchers import HungarianMatcher
from vgtoolbox.registry import TASK_UTILS
from vgtoolbox.structures import BatchTargets

LAYERS, QUERIES = 3, 5
TERMS = ("class_cost", "l1_cost", "giou_cost", "point_cost")


def _only(term):
    return HungarianMatcher(**{name: float(name == term) for name in TERMS})


def _predictions(batch, seed=0, queries=QUERIES):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(LAYERS, batch, queries, 2, generator=generator)
    boxes = 0.1 + 0.4 * torch.rand(LAYERS, batch, queries, 4, generator=generator)
    return logits, boxes, torch.rand(batch, queries, 2, generator=generator)


def _targets(*samples):
    """Return targets with the given `cxcywh` boxes and empty masks, which matching ignores."""
    most = max(map(len, samples))
    boxes = torch.zeros(len(samples), most, 4)
    is_valid = torch.zeros(len(samples), most, dtype=torch.bool)
    for index, sample in enumerate(samples):
        boxes[index, : len(sample)] = torch.tensor(sample).reshape(-1, 4)
        is_valid[index, : len(sample)] = True
    masks = torch.zeros(len(samples), most, 2, 2, dtype=torch.bool)
    return BatchTargets(boxes_cxcywh=boxes, masks=masks, is_valid=is_valid)


def test_agrees_with_mmdet(mmdet, make_targets):
    oracle = TASK_UTILS.build(
        {
            "type": "mmdet.HungarianAssigner",
            "match_costs": [
                {"type": "mmdet.ClassificationCost", "weight": 1.0},
                {"type": "mmdet.BBoxL1Cost", "box_format": "xywh", "weight": 5.0},
                {"type": "mmdet.IoUCost", "iou_mode": "giou", "weight": 2.0},
            ],
        }
    )
    counts = (3, 0, 1, 7)
    targets, (logits, boxes, points) = make_targets(counts), _predictions(len(counts))
    layers = HungarianMatcher(point_cost=0.0)(logits, boxes, points, targets)
    for layer, matches in enumerate(layers):
        for sample, count in enumerate(counts):
            assigned = oracle.assign(
                InstanceData(
                    bboxes=box_convert(boxes[layer, sample], "cxcywh", "xyxy"),
                    scores=logits[layer, sample],
                ),
                InstanceData(
                    bboxes=box_convert(targets.boxes_cxcywh[sample, :count], "cxcywh", "xyxy"),
                    labels=torch.zeros(count, dtype=torch.long),
                ),
                {"img_shape": (1, 1)},
            )
            ours = torch.zeros(QUERIES, dtype=torch.long)
            here = matches.batch == sample
            ours[matches.query[here]] = matches.target[here] + 1
            assert torch.equal(ours, assigned.gt_inds)


@pytest.mark.parametrize(
    ("term", "oracle"),
    [
        ("class_cost", {"type": "mmdet.ClassificationCost"}),
        ("l1_cost", {"type": "mmdet.BBoxL1Cost", "box_format": "xywh"}),
        ("giou_cost", {"type": "mmdet.IoUCost", "iou_mode": "giou"}),
    ],
)
def test_each_cost_agrees_with_mmdet(mmdet, make_targets, term, oracle):
    targets, (logits, boxes, points) = make_targets((3,)), _predictions(1)
    expected = TASK_UTILS.build(oracle)(
        InstanceData(bboxes=box_convert(boxes[0, 0], "cxcywh", "xyxy"), scores=logits[0, 0]),
        InstanceData(
            bboxes=box_convert(targets.boxes_cxcywh[0], "cxcywh", "xyxy"),
            labels=torch.zeros(3, dtype=torch.long),
        ),
        {"img_shape": (1, 1)},
    )
    ours = _only(term).cost(logits, boxes, points, targets)
    torch.testing.assert_close(ours[0, 0], expected, atol=1e-5, rtol=1e-5)


def test_point_cost_by_hand():
    targets = _targets([[0.5, 0.5, 0.2, 0.2], [0.1, 0.9, 0.2, 0.2]])
    logits, boxes, _ = _predictions(1, queries=2)
    points = torch.tensor([[[0.5, 0.4], [0.0, 1.0]]])
    cost = _only("point_cost").cost(logits, boxes, points, targets)
    expected = torch.tensor([[0.1, 0.9], [1.0, 0.2]])
    torch.testing.assert_close(cost, expected.expand(LAYERS, 1, 2, 2))
    assert all(
        (match.query - match.target == 0).all()
        for match in _only("point_cost")(logits, boxes, points, targets)
    )


def test_total_cost_is_the_weighted_sum_of_its_terms(make_targets):
    targets, predictions = make_targets((2, 3)), _predictions(2)
    weights = dict(zip(TERMS, (1.0, 5.0, 2.0, 3.0), strict=True))
    total = HungarianMatcher(**weights).cost(*predictions, targets)
    parts = sum(weights[term] * _only(term).cost(*predictions, targets) for term in TERMS)
    torch.testing.assert_close(total, parts)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 8), min_size=1, max_size=4), st.integers(0, 1000))
def test_matching_is_one_to_one_and_maximal(counts, seed):
    generator = torch.Generator().manual_seed(seed)
    targets = _targets(
        *((0.2 + 0.3 * torch.rand(n, 4, generator=generator)).tolist() for n in counts)
    )
    for matches in HungarianMatcher()(*_predictions(len(counts), seed), targets):
        for sample, count in enumerate(counts):
            here = matches.batch == sample
            queries, matched = matches.query[here].tolist(), matches.target[here].tolist()
            assert len(queries) == len(set(queries)) == min(count, QUERIES)
            assert len(set(matched)) == len(matched)
            assert all(target < count for target in matched)


def test_a_batch_without_targets_has_no_matches():
    matches = HungarianMatcher()(*_predictions(2), _targets([], []))
    assert len(matches) == LAYERS
    assert all(match.batch.shape == match.query.shape == (0,) for match in matches)
    assert all(match.target.dtype == torch.long for match in matches)


def test_padded_targets_are_never_matched():
    one, three = [[0.3, 0.3, 0.2, 0.2]], [[0.5, 0.5, 0.1, 0.1]] * 3
    alone = HungarianMatcher()(*_predictions(1), _targets(one))
    logits, boxes, points = _predictions(1)
    doubled = [torch.cat([t, t], dim) for t, dim in ((logits, 1), (boxes, 1), (points, 0))]
    together = HungarianMatcher()(*doubled, _targets(one, three))
    for single, pair in zip(alone, together, strict=True):
        assert torch.equal(pair.query[pair.batch == 0], single.query)
