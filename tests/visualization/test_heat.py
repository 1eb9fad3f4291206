import numpy as np
import pytest

from vgtoolbox.visualization.heat import draw_heat


def test_the_greatest_value_is_yellow_and_the_least_blue():
    picture = np.full((40, 60, 3), 100, np.uint8)
    values = np.zeros((4, 6), np.float32)
    values[0, 0] = 5.0
    drawn = draw_heat(picture, values, alpha=1.0).astype(int)
    assert drawn[0, 0, 0] > 200 > drawn[0, 0, 2]
    assert drawn[-1, -1, 2] > drawn[-1, -1, 0]
    assert (picture == 100).all()


def test_scale_and_offset_do_not_matter_and_a_constant_map_is_drawn():
    picture = np.zeros((8, 8, 3), np.uint8)
    values = np.random.default_rng(0).random((2, 3))
    assert np.array_equal(draw_heat(picture, values), draw_heat(picture, 7 * values - 3))
    assert len(np.unique(draw_heat(picture, np.ones((2, 2))).reshape(-1, 3), axis=0)) == 1


@pytest.mark.parametrize("values", [np.full((2, 2), np.nan), np.zeros((1, 2, 2))])
def test_what_is_no_map(values):
    with pytest.raises(ValueError, match="a map is finite"):
        draw_heat(np.zeros((4, 4, 3), np.uint8), values)
