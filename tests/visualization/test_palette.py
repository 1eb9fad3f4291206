import itertools

import pytest

from vgtoolbox.visualization.palette import (
    BLACK,
    BLUE,
    INSTANCE_COLORS,
    REMAINDER_COLOR,
    VERMILLION,
    WHITE,
    YELLOW,
    instance_color,
    relative_luminance,
    text_color_on,
)


def test_luminance_of_known_colors():
    assert relative_luminance(BLACK) == 0
    assert relative_luminance(WHITE) == pytest.approx(1)
    assert relative_luminance((255, 0, 0)) == pytest.approx(0.2126)
    # sRGB mid gray: ((128 / 255 + 0.055) / 1.055) ** 2.4
    assert relative_luminance((128, 128, 128)) == pytest.approx(0.21586, abs=1e-5)


def test_text_has_enough_contrast_on_every_color():
    assert text_color_on(YELLOW) == BLACK
    assert text_color_on(BLUE) == WHITE
    for color in INSTANCE_COLORS:
        lighter, darker = sorted(
            (relative_luminance(color), relative_luminance(text_color_on(color))), reverse=True
        )
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5  # WCAG level AA


def test_colors_are_distinct_and_repeat_after_six():
    assert len({*INSTANCE_COLORS, REMAINDER_COLOR}) == 7
    assert instance_color(0) == instance_color(6) == VERMILLION
    for a, b in itertools.pairwise(INSTANCE_COLORS):
        assert abs(relative_luminance(a) - relative_luminance(b)) > 0.05
