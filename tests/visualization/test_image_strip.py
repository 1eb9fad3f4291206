import numpy as np
import pytest

from vgtoolbox.visualization.image_strip import StripEntry, draw_image_strip
from vgtoolbox.visualization.overlay import Overlay


def _entry(height, width, value=120):
    size = (height, width)
    mask = np.zeros((1, *size), bool)
    mask[0, : height // 2, : width // 2] = True
    overlay = Overlay(np.array([[0.0, 0, width / 2, height / 2]]), mask)
    return StripEntry("Step", np.full((*size, 3), value, np.uint8), overlay, "ok")


def test_images_of_all_sizes_are_scaled_to_one_height():
    one = draw_image_strip([_entry(40, 60)], height=100)
    row = draw_image_strip([_entry(40, 60), _entry(400, 200)], height=100)
    assert row.shape[0] == one.shape[0]
    assert row.shape[1] > one.shape[1]


def test_images_wrap_into_rows():
    entries = [_entry(40, 60)] * 5
    assert draw_image_strip(entries, height=80, columns=2).shape[0] > 3 * 80
    assert draw_image_strip(entries, height=80, columns=5).shape[0] < 3 * 80


def test_narrow_image_has_room_for_text():
    assert draw_image_strip([_entry(300, 2)], height=100).shape[1] >= 50


def test_masks_are_drawn():
    entry = _entry(40, 60, value=255)
    plain = StripEntry("Step", entry.image, Overlay.empty((40, 60)), entry.text)
    drawn, bare = (draw_image_strip([one], height=100) for one in (entry, plain))
    assert drawn.shape == bare.shape
    assert not np.array_equal(drawn, bare)


def test_no_entries():
    with pytest.raises(ValueError, match="at least one image, got none"):
        draw_image_strip([])
