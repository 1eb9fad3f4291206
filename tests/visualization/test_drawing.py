import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vgtoolbox.visualization.drawing import (
    Style,
    caption_bar,
    check_rgb_image,
    draw_box,
    draw_label,
    fill_masks,
    label_size,
    occupy,
    outline_mask,
    place_label,
    resize_mask,
    resize_rgb_image,
    side_by_side,
    stack,
)
from vgtoolbox.visualization.palette import BLUE, ORANGE

GRAY = np.full((60, 80, 3), 100, np.uint8)
STYLE = Style(line=2, font=12, margin=3)


def rectangle(x1, y1, x2, y2, size=(60, 80)):
    mask = np.zeros(size, bool)
    mask[y1:y2, x1:x2] = True
    return mask


def changed(image, original=GRAY):
    return (image != original).any(-1)


class TestMasks:
    def test_tints_only_the_mask(self):
        mask = rectangle(10, 20, 30, 40)
        drawn = fill_masks(GRAY, [mask], [(200, 0, 100)], alpha=0.5)
        assert (drawn[mask] == [150, 50, 100]).all()
        assert not changed(drawn)[~mask].any()

    def test_overlap_has_the_mean_color_in_any_order(self):
        a, b = rectangle(0, 0, 20, 20), rectangle(10, 0, 30, 20)
        drawn = fill_masks(GRAY, [a, b], [(200, 0, 0), (0, 200, 0)], alpha=0.5)
        assert (drawn[a & b] == [100, 100, 50]).all()
        other = fill_masks(GRAY, [b, a], [(0, 200, 0), (200, 0, 0)], alpha=0.5)
        assert (drawn == other).all()

    def test_empty_masks_draw_nothing_and_the_input_is_not_modified(self):
        before = GRAY.copy()
        assert (fill_masks(GRAY, [], []) == before).all()
        assert (outline_mask(GRAY, rectangle(0, 0, 0, 0), BLUE, width=2) == before).all()
        outline_mask(GRAY, rectangle(5, 5, 30, 30), BLUE, width=2)
        assert (before == GRAY).all()

    def test_holes_are_outlined(self):
        mask = rectangle(10, 10, 50, 50) & ~rectangle(20, 20, 40, 40)
        drawn = changed(outline_mask(GRAY, mask, BLUE, width=1))
        assert drawn[10, 30]
        assert drawn[19:21, 30].any()
        assert not drawn[30, 30]
        assert not drawn[14:16, 14:16].any()

    @pytest.mark.parametrize("size", [(120, 160), (30, 40), (600, 800)])
    def test_resizing_keeps_position_and_area(self, size):
        mask = rectangle(20, 10, 60, 50)
        resized = resize_mask(mask, size)
        factor = size[0] / 60
        rows, columns = np.nonzero(resized)
        assert resized.sum() == pytest.approx(mask.sum() * factor**2, rel=0.02)
        assert rows.mean() / factor == pytest.approx(29.5, abs=1)
        assert columns.mean() / factor == pytest.approx(39.5, abs=1)

    def test_single_pixel_is_kept_when_enlarged(self):
        assert resize_mask(rectangle(3, 3, 4, 4, (8, 8)), (80, 80)).any()


class TestBoxes:
    @pytest.mark.parametrize("box", [(10, 10, 40, 30), (-5, -5, 200, 200), (79, 59, 80, 60)])
    def test_line_follows_the_box_inside_the_image(self, box):
        drawn = draw_box(GRAY, np.array(box, float), BLUE, width=2)
        assert drawn.shape == GRAY.shape
        x1, y1 = max(box[0], 0), max(box[1], 0)
        x2, y2 = min(box[2], 79), min(box[3], 59)
        assert changed(drawn)[y1, x1 : x2 + 1].all()
        assert changed(drawn)[y1 : y2 + 1, x2].all()
        assert not changed(drawn)[~rectangle(x1, y1, x2 + 1, y2 + 1)].any()

    def test_interior_is_not_changed(self):
        drawn = draw_box(GRAY, np.array([10.0, 10, 60, 50]), BLUE, width=2)
        assert not changed(drawn)[rectangle(14, 14, 56, 46)].any()


class TestLabels:
    sides = st.integers(1, 60)
    corner = st.floats(-50, 150)

    @given(corner, corner, st.floats(0, 150), st.floats(0, 150), sides, sides)
    def test_is_inside_the_image(self, x, y, width, height, label_width, label_height):
        box = np.array([x, y, x + width, y + height])
        left, top = place_label(box, (label_width, label_height), np.zeros((60, 80)))
        assert 0 <= left <= 80 - label_width
        assert 0 <= top <= 60 - label_height

    def test_is_above_the_object_if_possible(self):
        occupied = rectangle(20, 30, 50, 50).astype(float)
        assert place_label(np.array([20, 30, 50, 50.0]), (20, 10), occupied) == (20, 20)

    def test_avoids_objects_and_other_labels(self):
        occupied = np.zeros((60, 80))
        occupied[rectangle(20, 0, 50, 50)] = 1  # reaches the edge, so there is no room above
        box = np.array([20, 0, 50, 50.0])
        first = place_label(box, (20, 10), occupied)
        assert occupied[first[1] : first[1] + 10, first[0] : first[0] + 20].sum() == 0
        occupy(occupied, first, (20, 10))
        second = place_label(box, (20, 10), occupied)
        assert occupied[second[1] : second[1] + 10, second[0] : second[0] + 20].sum() == 0

    def test_covers_exactly_its_size(self):
        width, height = label_size("0.98", STYLE)
        drawn = draw_label(GRAY, "0.98", (10, 20), ORANGE, STYLE)
        expected = rectangle(10, 20, 10 + width, 20 + height)
        assert (changed(drawn) == expected).all()
        assert (drawn[20, 10] == ORANGE).all()
        assert (drawn[expected] == 0).all(-1).any()  # black text on orange


class TestLayout:
    def test_caption_has_the_given_width_and_the_height_of_its_text(self):
        one, many = (caption_bar(100, text, STYLE) for text in ("red", "red circle " * 20))
        assert one.shape[1] == many.shape[1] == 100
        assert many.shape[0] > 5 * one.shape[0]
        assert caption_bar(100, "red " * 90, STYLE, max_lines=2).shape[0] < 3 * one.shape[0]
        assert (caption_bar(1, "red", STYLE).shape[1]) == 1

    def test_stack_is_centered_on_the_background(self):
        sheet = stack([GRAY, np.zeros((10, 20, 3), np.uint8)], gap=5)
        assert sheet.shape == (75, 80, 3)
        assert (sheet[:60] == 100).all()
        assert (sheet[65:, 30:50] == 0).all()
        assert (sheet[60:65] == 255).all()
        assert (sheet[65:, :30] == 255).all()

    def test_side_by_side_is_aligned_at_the_top(self):
        sheet = side_by_side([GRAY, np.zeros((10, 20, 3), np.uint8)], gap=5)
        assert sheet.shape == (60, 105, 3)
        assert (sheet[:, :80] == 100).all()
        assert (sheet[:10, 85:] == 0).all()
        assert (sheet[10:, 85:] == 255).all()

    def test_images_can_be_enlarged_and_shrunk(self):
        assert resize_rgb_image(GRAY, (120, 160)).shape == (120, 160, 3)
        assert (resize_rgb_image(GRAY, (7, 9)) == 100).all()


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)]
)
def test_invalid_images(image):
    with pytest.raises(ValueError, match="uint8 RGB array"):
        check_rgb_image(image)
