import numpy as np
import pytest

from vgtoolbox.visualization.overlay import Overlay
from vgtoolbox.visualization.strip import Stage, draw_strip


def _stage(height, width, value=120):
    size = (height, width)
    mask = np.zeros((1, *size), bool)
    mask[0, : height // 2, : width // 2] = True
    overlay = Overlay(np.array([[0.0, 0, width / 2, height / 2]]), mask)
    return Stage("Step", np.full((*size, 3), value, np.uint8), overlay, "ok")


def test_pictures_of_all_sizes_stand_at_one_height():
    one = draw_strip([_stage(40, 60)], height=100)
    row = draw_strip([_stage(40, 60), _stage(400, 200)], height=100)
    assert row.shape[0] == one.shape[0]
    assert row.shape[1] > one.shape[1]


def test_rows_are_broken():
    stages = [_stage(40, 60)] * 5
    assert draw_strip(stages, height=80, columns=2).shape[0] > 3 * 80
    assert draw_strip(stages, height=80, columns=5).shape[0] < 3 * 80


def test_a_narrow_picture_has_room_for_words():
    assert draw_strip([_stage(300, 2)], height=100).shape[1] >= 50


def test_masks_are_drawn():
    stage = _stage(40, 60, value=255)
    plain = Stage("Step", stage.image, Overlay.empty((40, 60)), stage.words)
    drawn, bare = draw_strip([stage], height=100), draw_strip([plain], height=100)
    assert drawn.shape == bare.shape
    assert not np.array_equal(drawn, bare)


def test_nothing_is_no_strip():
    with pytest.raises(ValueError, match="one stage at least"):
        draw_strip([])
