import pytest
import torch

from vgtoolbox.models.heads import CenterHead, CenterMaps
from vgtoolbox.structures import BatchTargets

GRID = (3, 4)


def _maps(batch=1):
    """Return maps with a constant score, sizes of half the image and no offsets."""
    return CenterMaps(
        score_map=torch.full((batch, 1, *GRID), 0.1),
        size_map=torch.full((batch, 2, *GRID), 0.5),
        offset_map=torch.zeros(batch, 2, *GRID),
        target_features=torch.zeros(batch, 4, *GRID),
    )


def _targets(boxes, is_valid=None):
    boxes = torch.tensor(boxes).view(len(boxes), -1, 4)
    valid = torch.ones(boxes.shape[:2], dtype=torch.bool) if is_valid is None else is_valid
    return BatchTargets(boxes, torch.zeros(*boxes.shape[:2], 6, 8, dtype=torch.bool), valid)


def test_shapes_and_ranges():
    maps = CenterHead(channels=16)(100 * torch.randn(2, 16, 5, 7))
    assert maps.score_map.shape == (2, 1, 5, 7)
    assert maps.size_map.shape == maps.offset_map.shape == (2, 2, 5, 7)
    assert maps.target_features.shape == (2, 8, 5, 7)
    for probabilities in (maps.score_map, maps.size_map):
        assert ((probabilities >= 1e-4) & (probabilities <= 1 - 1e-4)).all()


def test_the_two_halves_of_the_channels_are_independent():
    head, features = CenterHead(channels=16).eval(), torch.randn(1, 16, 5, 7)
    before = head(features)
    features[:, 8:] = 0
    after = head(features)
    assert torch.equal(before.score_map, after.score_map)
    assert torch.equal(before.target_features, after.target_features)
    assert not torch.equal(before.size_map, after.size_map)
    assert not torch.equal(before.offset_map, after.offset_map)


def test_score_and_box_are_those_of_the_best_cell():
    maps = _maps(2)
    maps.score_map[0, 0, 1, 3] = 0.9
    maps.score_map[1, 0, 2, 0] = 0.6
    maps.offset_map[0, :, 1, 3] = torch.tensor([-0.5, 2.0])
    maps.size_map[1, :, 2, 0] = torch.tensor([0.2, 0.3])
    scores, boxes = CenterHead(channels=16).predict(maps)
    assert scores.flatten().tolist() == pytest.approx([0.9, 0.6])
    torch.testing.assert_close(boxes[0, 0], torch.tensor([2.5 / 4, 3.0 / 3, 0.5, 0.5]))
    torch.testing.assert_close(boxes[1, 0], torch.tensor([0.0, 2 / 3, 0.2, 0.3]))


def test_losses_by_hand():
    maps = _maps()
    maps.score_map[0, 0, 1, 2] = 0.9
    # Predicted center (0.5, 1/3), size 0.5: corners (.25, 1/12, .75, 7/12).
    targets = _targets([[[0.5, 1 / 3, 0.25, 0.5]]])
    head = CenterHead(channels=16, loss_weight=0.5, l1_weight=2.0)
    losses = head.loss(maps, targets)
    assert float(losses["loss_l1"]) == pytest.approx(0.5 * 2.0 * (0.125 + 0.125) / 4, rel=1e-5)
    assert float(losses["loss_giou"]) == pytest.approx(0.5 * 0.5, rel=1e-4)
    assert float(losses["loss_center"]) > 0


def test_the_box_is_compared_with_the_nearest_of_several_targets():
    maps = _maps()
    maps.score_map[0, 0, 0, 0] = 0.9
    far, near = [0.9, 0.9, 0.1, 0.1], [0.1, 0.1, 0.5, 0.5]
    head = CenterHead(channels=16)
    both = head.loss(maps, _targets([[far, near]]))
    alone = head.loss(maps, _targets([[near]]))
    assert torch.equal(both["loss_giou"], alone["loss_giou"])
    invalid = torch.tensor([[True, False]])
    masked = head.loss(maps, _targets([[far, near]], invalid))
    assert masked["loss_giou"] > both["loss_giou"]


@pytest.mark.parametrize("cell", ["peak", "target"])
def test_without_targets_only_scores_are_trained(cell):
    head = CenterHead(channels=16, supervised_cell=cell)
    maps = head(torch.randn(2, 16, *GRID))
    for padding in (0, 1):
        none = torch.zeros(2, padding, dtype=torch.bool)
        targets = _targets(torch.zeros(2, padding, 4).tolist(), none)
        losses = head.loss(maps, targets)
        assert losses["loss_l1"].item() == losses["loss_giou"].item() == 0
        assert losses["loss_center"].item() > 0


def test_size_and_offset_are_trained_in_the_cell_of_the_peak_or_the_target():
    for cell, expected in (("peak", [0, 0]), ("target", [2, 3])):
        maps = _maps()
        maps.score_map[0, 0, 0, 0] = 0.9
        maps.size_map.requires_grad_()
        losses = CenterHead(channels=16, supervised_cell=cell).loss(
            maps, _targets([[[0.8, 0.7, 0.3, 0.3]]])
        )
        losses["loss_giou"].backward()
        assert maps.size_map.grad[0].abs().sum(0).nonzero().tolist() == [expected]


def test_prior_score_is_the_initial_score_of_every_cell():
    head = CenterHead(channels=16, prior_score=0.1)
    torch.nn.init.zeros_(head.center[-1].weight)
    scores = head(torch.randn(1, 16, *GRID)).score_map
    torch.testing.assert_close(scores, torch.full_like(scores, 0.1))


def test_scores_in_half_precision_are_below_1():
    head = CenterHead(channels=16).to(torch.bfloat16)
    torch.nn.init.constant_(head.center[-1].bias, 50.0)
    maps = head(torch.randn(1, 16, *GRID, dtype=torch.bfloat16))
    assert maps.score_map.dtype == torch.float32
    assert maps.score_map.max() < 1


def test_an_unknown_cell_raises():
    with pytest.raises(ValueError, match="must be 'peak' or 'target', got 'center'"):
        CenterHead(channels=16, supervised_cell="center")
