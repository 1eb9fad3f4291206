"""Layouts of published checkpoints, recognized by their keys.

To add one, write a module with a subclass of `Layout` and list its instance in `LAYOUTS`.
"""

from __future__ import annotations

from collections.abc import Collection

from vgtoolbox.checkpoint.layouts import (
    beit3,
    bert,
    instancevg,
    internvl,
    lisa,
    llava,
    mllmseg,
    plvl,
    sam,
    vitdet,
)
from vgtoolbox.checkpoint.layouts.base import Layout, StateDict, StreamingLayout

LAYOUTS: tuple[Layout, ...] = (
    instancevg.LAYOUT,
    beit3.LAYOUT,
    plvl.LAYOUT,
    vitdet.LAYOUT,
    bert.LAYOUT,
    mllmseg.LAYOUT,
    internvl.LAYOUT,
    lisa.LAYOUT,
    llava.LAYOUT,
    llava.CLIP_LAYOUT,
    sam.LAYOUT,
)


def recognize_layout(keys: Collection[str], layouts: tuple[Layout, ...] = LAYOUTS) -> Layout | None:
    """Return the published layout that these keys belong to; `None` for keys of our own."""
    return next((layout for layout in layouts if layout.matches(keys)), None)


def recognize_export_layout(
    keys: Collection[str], layouts: tuple[Layout, ...] = LAYOUTS
) -> Layout | None:
    """Return the layout that these keys of ours can be exported to; `None` if there is none."""
    return next((layout for layout in layouts if layout.matches_ours(keys)), None)


__all__ = [
    "LAYOUTS",
    "Layout",
    "StateDict",
    "StreamingLayout",
    "recognize_export_layout",
    "recognize_layout",
]
