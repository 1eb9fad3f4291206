"""Layouts of published checkpoints, recognised by their keys.

A new one is a module beside this file that makes a `Layout`, and an entry in `LAYOUTS`.
"""

from __future__ import annotations

from collections.abc import Collection

from vgtoolbox.checkpoint.layouts import (
    beit3,
    bert,
    instancevg,
    internvl,
    mllmseg,
    plvl,
    vitdet,
)
from vgtoolbox.checkpoint.layouts.base import Layout, StateDict

LAYOUTS: tuple[Layout, ...] = (
    instancevg.LAYOUT,
    beit3.LAYOUT,
    plvl.LAYOUT,
    vitdet.LAYOUT,
    bert.LAYOUT,
    mllmseg.LAYOUT,
    internvl.LAYOUT,
)


def recognise(keys: Collection[str], layouts: tuple[Layout, ...] = LAYOUTS) -> Layout | None:
    """Return the foreign layout that these keys belong to; None where they are our own."""
    return next((layout for layout in layouts if layout.matches(keys)), None)


def recognise_ours(keys: Collection[str], layouts: tuple[Layout, ...] = LAYOUTS) -> Layout | None:
    """Return the layout that these keys of ours can be written in; None where there is none."""
    return next((it for it in layouts if it.matches_ours and it.matches_ours(keys)), None)


__all__ = ["LAYOUTS", "Layout", "StateDict", "recognise", "recognise_ours"]
