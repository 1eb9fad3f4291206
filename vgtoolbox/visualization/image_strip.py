"""Draw a strip of images, each with a title above and text below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vgtoolbox.visualization.drawing import RGBImage, Style, caption_bar, side_by_side, stack
from vgtoolbox.visualization.overlay import Overlay, draw_overlay
from vgtoolbox.visualization.palette import BACKGROUND_COLOR, GRAY, TEXT_COLOR

_GAP = 12
_TITLE_LINES = 2


@dataclass(frozen=True)
class StripEntry:
    """One image of a strip.

    Attributes:
        title: Text above the image.
        image: Image, uint8 RGB (H, W, 3).
        overlay: Instances to draw, in the frame of `image`.
        text: Text below the image.
    """

    title: str
    image: RGBImage
    overlay: Overlay
    text: str


def draw_image_strip(
    entries: Sequence[StripEntry], *, height: int = 320, columns: int = 4
) -> RGBImage:
    """Draw images side by side in rows, all at the same height.

    Args:
        entries: Entries of the strip, at least one.
        height: Height in pixels to which each image is scaled.
        columns: Number of images per row.

    Raises:
        ValueError: `entries` is empty.
    """
    if not entries:
        raise ValueError("entries must contain at least one image, got none")
    style = Style(line=max(2, height // 160), font=max(11, height // 22), margin=5)
    cells = [_draw_entry(entry, height, style) for entry in entries]
    rows = [
        side_by_side(cells[start : start + columns], gap=_GAP)
        for start in range(0, len(cells), columns)
    ]
    width = max(row.shape[1] for row in rows)
    # The last row may be shorter; it is aligned to the left.
    aligned = [
        np.pad(
            row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=BACKGROUND_COLOR[0]
        )
        for row in rows
    ]
    sheet = stack(aligned, gap=_GAP)
    return np.pad(sheet, ((_GAP, _GAP), (_GAP, _GAP), (0, 0)), constant_values=BACKGROUND_COLOR[0])


def _draw_entry(entry: StripEntry, height: int, style: Style) -> RGBImage:
    """Draw one image between its title and its text, with a minimum width for both."""
    width = max(1, round(entry.image.shape[1] * height / entry.image.shape[0]))
    drawn = draw_overlay(entry.image, entry.overlay, size=(height, width), alpha=0.3)
    room = max(width, height // 2)
    title = caption_bar(room, entry.title, style, color=TEXT_COLOR, max_lines=_TITLE_LINES)
    empty = caption_bar(room, "\n".join("M" * room), style, max_lines=_TITLE_LINES)
    above = np.full((empty.shape[0], room, 3), BACKGROUND_COLOR, np.uint8)
    above[-title.shape[0] :] = title
    return stack([above, drawn, caption_bar(room, entry.text, style, color=GRAY)])
