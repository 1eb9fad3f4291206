"""A strip of pictures: one sample at several stages, each with its title and words below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vgtoolbox.visualization.drawing import RGBImage, Style, caption_bar, side_by_side, stack
from vgtoolbox.visualization.overlay import Overlay, draw_overlay
from vgtoolbox.visualization.palette import GREY, INK, PAPER

_GAP = 12
_TITLE_LINES = 2


@dataclass(frozen=True)
class Stage:
    """One picture of a strip.

    Attributes:
        title: Above it.
        image: uint8 RGB (H, W, 3).
        overlay: In the frame of `image`.
        words: Below it.
    """

    title: str
    image: RGBImage
    overlay: Overlay
    words: str


def draw_strip(stages: Sequence[Stage], *, height: int = 320, columns: int = 4) -> RGBImage:
    """Draw stages side by side, in rows, all at one height.

    Args:
        stages: One or more.
        height: Of each picture, in pixels, whatever its own size.
        columns: Pictures in a row.
    """
    if not stages:
        raise ValueError("a strip needs one stage at least")
    style = Style(line=max(2, height // 160), font=max(11, height // 22), margin=5)
    cells = [_draw_stage(stage, height, style) for stage in stages]
    rows = [
        side_by_side(cells[start : start + columns], gap=_GAP)
        for start in range(0, len(cells), columns)
    ]
    width = max(row.shape[1] for row in rows)
    # The last row may be shorter: it stands at the left, as the others do.
    aligned = [
        np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=PAPER[0])
        for row in rows
    ]
    sheet = stack(aligned, gap=_GAP)
    return np.pad(sheet, ((_GAP, _GAP), (_GAP, _GAP), (0, 0)), constant_values=PAPER[0])


def _draw_stage(stage: Stage, height: int, style: Style) -> RGBImage:
    """Draw one picture between its title and its words; a narrow one gets room for them."""
    width = max(1, round(stage.image.shape[1] * height / stage.image.shape[0]))
    drawn = draw_overlay(stage.image, stage.overlay, size=(height, width), alpha=0.3)
    room = max(width, height // 2)
    title = caption_bar(room, stage.title, style, color=INK, max_lines=_TITLE_LINES)
    empty = caption_bar(room, "\n".join("M" * room), style, max_lines=_TITLE_LINES)
    above = np.full((empty.shape[0], room, 3), PAPER, np.uint8)
    above[-title.shape[0] :] = title
    return stack([above, drawn, caption_bar(room, stage.words, style, color=GREY)])
