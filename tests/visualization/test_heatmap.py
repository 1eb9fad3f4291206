import numpy as np
import pytest

from vgtoolbox.visualization.heatmap import draw_heatmap


def test_largest_value_is_yellow_and_smallest_is_blue():
    image = np.full((40, 60, 3), 100, np.uint8)
    values = np.zeros((4, 6), np.float32)
    values[0, 0] = 5.0
    drawn = draw_heatmap(image, values, alpha=1.0).astype(int)
    assert drawn[0, 0, 0] > 200 > drawn[0, 0, 2]
    assert drawn[-1, -1, 2] > drawn[-1, -1, 0]
    assert (image == 100).all()


def test_is_invariant_to_scale_and_offset_and_accepts_constant_maps():
    image = np.zeros((8, 8, 3), np.uint8)
    values = np.random.default_rng(0).random((2, 3))
    assert np.array_equal(draw_heatmap(image, values), draw_heatmap(image, 7 * values - 3))
    assert len(np.unique(draw_heatmap(image, np.ones((2, 2))).reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((2, 2), np.nan), "values must be finite"),
        (np.zeros((1, 2, 2)), r"must have the shape \(h, w\), got shape \(1, 2, 2\)"),
    ],
)
def test_invalid_maps(values, message):
    with pytest.raises(ValueError, match=message):
        draw_heatmap(np.zeros((4, 4, 3), np.uint8), values)


def test_invalid_alpha():
    with pytest.raises(ValueError, match="alpha must be between 0 and 1, got 60"):
        draw_heatmap(np.zeros((4, 4, 3), np.uint8), np.zeros((2, 2)), alpha=60)
