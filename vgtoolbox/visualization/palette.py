"""Color palette that is distinguishable with any type of color vision (Okabe and Ito, 2008)."""

from __future__ import annotations

Color = tuple[int, int, int]

BLACK: Color = (0, 0, 0)
WHITE: Color = (255, 255, 255)
TEXT_COLOR: Color = (33, 37, 41)
BACKGROUND_COLOR: Color = (255, 255, 255)
GRAY: Color = (100, 108, 116)

ORANGE: Color = (230, 159, 0)
SKY_BLUE: Color = (86, 180, 233)
BLUISH_GREEN: Color = (0, 158, 115)
YELLOW: Color = (240, 228, 66)
BLUE: Color = (0, 114, 178)
VERMILLION: Color = (213, 94, 0)
REDDISH_PURPLE: Color = (204, 121, 167)

# Neighboring colors also differ in lightness, so that they are distinct in grayscale prints.
INSTANCE_COLORS: tuple[Color, ...] = (
    VERMILLION,
    SKY_BLUE,
    YELLOW,
    BLUE,
    ORANGE,
    BLUISH_GREEN,
)
CORRECT_COLOR = BLUISH_GREEN
INCORRECT_COLOR = VERMILLION
# Part of the merged mask that no instance covers.
REMAINDER_COLOR = REDDISH_PURPLE


def instance_color(index: int) -> Color:
    """Return the color of the instance at `index`; colors repeat after six."""
    return INSTANCE_COLORS[index % len(INSTANCE_COLORS)]


def text_color_on(background: Color) -> Color:
    """Return black or white, whichever has the higher contrast on `background` (WCAG 2.2)."""
    luminance = relative_luminance(background)
    return BLACK if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else WHITE


def relative_luminance(color: Color) -> float:
    """Return the relative luminance of an sRGB color, from 0 for black to 1 for white."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in color)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
