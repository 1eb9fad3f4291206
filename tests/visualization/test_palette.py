import itertools

import pytest

from vgtoolbox.visualization.palette import (
    BLACK,
    BLUE,
    INSTANCE_COLORS,
    REMAINDER,
    VERMILLION,
    WHITE,
    YELLOW,
    instance_color,
    relative_luminance,
    text_color_on,
)


def test_luminance_of_known_colours():
    assert relative_luminance(BLACK) == 0
    assert relative_luminance(WHITE) == pytest.approx(1)
    assert relative_luminance((255, 0, 0)) == pytest.approx(0.2126)
    # sRGB mid grey: ((128 / 255 + 0.055) / 1.055) ** 2.4
    assert relative_luminance((128, 128, 128)) == pytest.approx(0.21586, abs=1e-5)


def test_text_reads_on_its_ground():
    assert text_color_on(YELLOW) == BLACK
    assert text_color_on(BLUE) == WHITE
    for color in INSTANCE_COLORS:
        lighter, darker = sorted(
            (relative_luminance(color), relative_luminance(text_color_on(color))), reverse=True
        )
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5  # WCAG's level AA


def test_instances_differ_until_colours_run_out():
    assert len({*INSTANCE_COLORS, REMAINDER}) == 7
    assert instance_color(0) == instance_color(6) == VERMILLION
    for a, b in itertools.pairwise(INSTANCE_COLORS):
        assert abs(relative_luminance(a) - relative_luminance(b)) > 0.05
