import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.models.losses import gaussian_heatmap, gaussian_radius, heatmap_focal_loss

GRID = (28, 28)


@pytest.mark.parametrize(
    ("height", "width", "radius"), [(8.4, 11.2, 2.628), (0.56, 5.6, 0.295), (28, 28, 7.653)]
)
def test_radius_follows_the_published_formula(height, width, radius):
    found = gaussian_radius(torch.tensor(float(height)), torch.tensor(float(width)))
    assert float(found) == pytest.approx(radius, abs=5e-4)


def _heatmap(boxes, keep_inside=True, grid=GRID):
    boxes = torch.tensor(boxes).view(1, -1, 4)
    return gaussian_heatmap(
        boxes, torch.ones(boxes.shape[:2], dtype=torch.bool), grid, keep_inside=keep_inside
    )[0]


def test_heatmap_is_a_gaussian_of_known_width():
    heatmap = _heatmap([[0.5, 0.25, 11.2 / 28, 8.4 / 28]])  # radius 2, sigma 5 / 6
    assert heatmap[7, 14] == 1
    assert float(heatmap[7, 16]) == pytest.approx(math.exp(-4 / (2 * (5 / 6) ** 2)))
    assert float(heatmap[8, 15]) == pytest.approx(math.exp(-2 / (2 * (5 / 6) ** 2)))
    assert heatmap[7, 17] == heatmap[10, 14] == 0
    assert (heatmap > 0).sum() == 25


def test_a_box_smaller_than_a_cell_has_a_peak():
    heatmap = _heatmap([[0.5, 0.5, 1e-3, 1e-3]])
    assert heatmap.sum() == heatmap[14, 14] == 1


def test_a_peak_at_the_border_is_lost_as_published_or_kept():
    boxes = [[0.99, 0.5, 0.02, 0.4]]
    assert (_heatmap(boxes, keep_inside=False) == 1).sum() == 0
    kept = _heatmap(boxes)
    assert kept[14, 27] == 1
    assert (kept == 1).sum() == 1


@given(
    boxes=st.lists(
        st.tuples(*[st.floats(0.02, 0.98)] * 2, *[st.floats(0.01, 1.0)] * 2),
        min_size=1,
        max_size=4,
    )
)
def test_each_center_is_a_peak_and_values_are_between_0_and_1(boxes):
    heatmap = _heatmap([list(box) for box in boxes])
    centers = {
        (min(round(28 * y), 27), min(round(28 * x), 27))
        for x, y in torch.tensor(boxes)[:, :2].tolist()
    }
    assert {tuple(cell) for cell in (heatmap == 1).nonzero().tolist()} == centers
    assert ((heatmap >= 0) & (heatmap <= 1)).all()


def test_rows_and_columns_of_a_grid_that_is_not_square():
    assert _heatmap([[0.75, 0.5, 0.01, 0.01]], grid=(4, 8)).nonzero().tolist() == [[2, 6]]


def test_padding_and_samples_without_targets_have_no_peak():
    boxes = torch.full((2, 1, 4), 0.5)
    heatmap = gaussian_heatmap(boxes, torch.tensor([[True], [False]]), GRID, keep_inside=True)
    assert heatmap[0].any()
    assert not heatmap[1].any()
    none = gaussian_heatmap(
        boxes[:, :0], torch.zeros(2, 0, dtype=torch.bool), GRID, keep_inside=True
    )
    assert none.shape == (2, *GRID)
    assert not none.any()


def test_focal_loss_by_hand():
    heatmap = torch.tensor([[[1.0, 0.5]]])
    scores = torch.tensor([[[0.8, 0.3]]])
    positive = 0.2**2 * math.log(0.8)
    negative = 0.5**4 * 0.3**2 * math.log(0.7 + 1e-5)
    assert float(heatmap_focal_loss(scores, heatmap)) == pytest.approx(-(positive + negative))


def test_focal_loss_is_divided_by_the_number_of_peaks_in_the_batch():
    heatmap, scores = torch.eye(3)[None], torch.full((1, 3, 3), 0.3)
    one = torch.zeros(1, 3, 3)
    one[0, 0, 0] = 1
    three, single = heatmap_focal_loss(scores, heatmap), heatmap_focal_loss(scores, one)
    off = -(0.3**2) * math.log(0.7 + 1e-5)
    on = -(0.7**2) * math.log(0.3)
    assert float(three) == pytest.approx((3 * on + 6 * off) / 3, rel=1e-5)
    assert float(single) == pytest.approx(on + 8 * off, rel=1e-5)


def test_focal_loss_without_a_peak_is_finite_and_has_gradients():
    scores = torch.full((2, 3, 3), 0.3, requires_grad=True)
    loss = heatmap_focal_loss(scores, torch.zeros(2, 3, 3))
    loss.backward()
    assert (scores.grad > 0).all()


def test_focal_loss_in_half_precision_is_finite():
    scores = torch.ones(1, 2, 2, dtype=torch.float16)
    assert heatmap_focal_loss(scores, torch.zeros(1, 2, 2)).isfinite()
