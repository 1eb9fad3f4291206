"""Colours that people with any colour vision tell apart (Okabe and Ito, 2008)."""

from __future__ import annotations

Color = tuple[int, int, int]

BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)
INK: Color = (33, 37, 41)
PAPER: Color = (255, 255, 255)
GREY: Color = (100, 108, 116)

ORANGE: Color = (230, 159, 0)
SKY_BLUE: Color = (86, 180, 233)
BLUISH_GREEN: Color = (0, 158, 115)
YELLOW: Color = (240, 228, 66)
BLUE: Color = (0, 114, 178)
VERMILLION: Color = (213, 94, 0)
REDDISH_PURPLE: Color = (204, 121, 167)

# Neighbours differ in lightness too, so that instances stay apart in a black-and-white print.
INSTANCE_COLORS: tuple[Color, ...] = (
    VERMILLION,
    SKY_BLUE,
    YELLOW,
    BLUE,
    ORANGE,
    BLUISH_GREEN,
)
CORRECT = BLUISH_GREEN
INCORRECT = VERMILLION
# A mask that belongs to no single instance: the part of the merged mask that no instance covers.
REMAINDER = REDDISH_PURPLE


def instance_color(index: int) -> Color:
    """Return the colour of the instance at `index`; they repeat after six."""
    return INSTANCE_COLORS[index % len(INSTANCE_COLORS)]


def text_color_on(background: Color) -> Color:
    """Return black or white, whichever reads better on `background` (WCAG 2.2 contrast ratio)."""
    luminance = relative_luminance(background)
    return BLACK if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else WHITE


def relative_luminance(color: Color) -> float:
    """Return the relative luminance of an sRGB colour, 0 for black to 1 for white."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in color)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
