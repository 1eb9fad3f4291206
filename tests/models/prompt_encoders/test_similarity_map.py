import pytest
import torch

from vgtoolbox.models.prompt_encoders import (
    mask_prompts,
    min_max,
    rounded_size,
    similarity_in_image,
    similarity_points,
)


def test_min_max_of_constant_rows_is_zero_with_a_finite_gradient():
    values = torch.tensor([[2.0, 2.0, 2.0], [1.0, 3.0, 2.0]], requires_grad=True)
    scaled = min_max(values)
    assert scaled.tolist() == [[0, 0, 0], [0, 1, 0.5]]
    scaled.sum().backward()
    assert bool(values.grad.isfinite().all())


@pytest.mark.parametrize(
    ("size", "expected"), [((120, 160), (6, 8)), ((1, 100), (1, 8)), ((9, 9), (8, 8))]
)
def test_rounded_size(size, expected):
    assert rounded_size(size, 8) == expected


def test_padding_of_the_view_is_cut_off():
    similarity = torch.zeros(1, 16)
    similarity.view(4, 4)[2:] = 1.0  # patches below an image with the ratio 2 : 1
    maps = similarity_in_image(similarity, (4, 4), (10, 20), 6)
    assert maps.shape == (1, 10, 20)
    # The padding reaches in by interpolation only.
    assert float(maps[:, :6].max()) < 1e-6
    assert float(maps[:, -1].min()) > 0.2


def test_mask_prompts_keep_the_ratio():
    prompts = mask_prompts(torch.ones(2, 10, 20), 16)
    assert prompts.shape == (2, 1, 16, 16)
    torch.testing.assert_close(prompts[:, :, :8], torch.ones(2, 1, 8, 16))
    assert not prompts[:, :, 8:].any()


def test_points_are_foreground_then_background_then_others():
    maps = torch.full((1, 3, 4), 0.5)
    maps[0, 1, 2], maps[0, 0, 0], maps[0, 2, 3] = 0.9, 1.0, 0.1
    points, labels = similarity_points(maps, 5, positive_thr=0.8, negative_thr=0.2)
    assert labels.tolist() == [[1, 1, 0, -1, -1]]
    assert points.shape == (1, 5, 2)
    cells = [(0, 0), (2, 1), (3, 2), (1, 0), (2, 0)]
    for (x, y), (column, row) in zip(points[0].tolist(), cells, strict=True):
        assert abs(x - min(column + 0.5, 3)) < 0.6
        assert abs(y - min(row + 0.5, 2)) < 0.6


def test_small_maps_have_one_point_per_cell():
    points, labels = similarity_points(torch.rand(2, 1, 3), 60, positive_thr=0.8, negative_thr=0.2)
    assert points.shape == (2, 3, 2)
    assert labels.shape == (2, 3)


def test_points_depend_on_the_map_differentiably():
    maps = torch.rand(1, 4, 4, requires_grad=True)
    points, _ = similarity_points(maps, 5, positive_thr=0.8, negative_thr=0.2)
    points.sum().backward()
    assert maps.grad.abs().sum() > 0
