"""Render a layout as an RGB image with the exact visible mask of each object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from vgtoolbox.shapes.attributes import COLORS
from vgtoolbox.shapes.scales import ShapesScale
from vgtoolbox.shapes.scene import ObjectLayout, Scene, SceneLayout, SceneObject

_SUPERSAMPLING = 4
_SUBPIXEL_BITS = 4
_RIM = 0.02
_WIDE_CELLS, _FINE_CELLS = 4, 24


@dataclass(frozen=True, kw_only=True)
class RenderedScene:
    """Rendered scene.

    Args:
        image: RGB image (H, W, 3), uint8.
        masks: Visible masks of the objects (N, H, W), bool.
        scene: Objects with geometry measured on `masks`.
    """

    image: np.ndarray
    masks: np.ndarray
    scene: Scene


def render_scene(
    rng: np.random.Generator, layout: SceneLayout, scale: ShapesScale
) -> RenderedScene:
    """Render `layout`. Masks are disjoint: each pixel belongs to the topmost object."""
    height, width = layout.height, layout.width
    canvas = draw_background(rng, height=height, width=width, contrast=scale.background_contrast)
    owner = np.full((height, width), -1, np.int16)
    full_areas = []
    for index, item in enumerate(layout.objects):
        window, alpha = _object_alpha(item, height=height, width=width)
        paint = _object_paint(rng, item, window) * _rim_shade(alpha, item.diameter)[..., None]
        canvas[window] += alpha[..., None] * (paint - canvas[window])
        inside = alpha >= 0.5
        owner[window][inside] = index
        full_areas.append(int(inside.sum()))
    canvas *= _lighting(rng, height=height, width=width, strength=scale.lighting)[..., None]
    masks = owner[None] == np.arange(len(layout.objects), dtype=np.int16)[:, None, None]
    return RenderedScene(
        image=cv2.convertScaleAbs(canvas),  # rounds and saturates
        masks=masks,
        scene=_measure(layout, masks, full_areas),
    )


def draw_background(
    rng: np.random.Generator, *, height: int, width: int, contrast: float
) -> np.ndarray:
    """Return an (H, W, 3) float32 background: a grayish tone, soft blotches and fine grain."""
    tone = rng.uniform(70, 175) + rng.uniform(-12, 12, size=3)
    tint = contrast * (1 + 0.2 * rng.standard_normal(3))
    wide, fine = (rng.standard_normal((n, n)) for n in (_WIDE_CELLS, _FINE_CELLS))
    blotches = 40 * cv2.resize(wide, fine.shape, interpolation=cv2.INTER_CUBIC) + 22 * fine
    # Away from black and white, so that objects of these colors remain visible.
    cells = np.clip(tone + tint * blotches[..., None], 50, 195).astype(np.float32)
    canvas: np.ndarray = cv2.resize(cells, (width, height), interpolation=cv2.INTER_CUBIC)
    grain = rng.integers(0, 256, (height, width), dtype=np.uint8).astype(np.float32) - 127.5
    canvas += (0.03 + 0.08 * contrast) * grain[..., None]
    return canvas


def _lighting(rng: np.random.Generator, *, height: int, width: int, strength: float) -> np.ndarray:
    """Return an (H, W) float32 gain that falls linearly in a random direction; 1 at the center."""
    angle = rng.uniform(0, 2 * np.pi)
    fall = 0.5 * strength * rng.uniform(0, 1)
    across = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(np.cos(angle))
    down = np.linspace(-1, 1, height, dtype=np.float32) * np.float32(np.sin(angle))
    return 1 + fall * (across[None] + down[:, None]) / np.float32(np.sqrt(2))


def _object_alpha(
    item: ObjectLayout, *, height: int, width: int
) -> tuple[tuple[slice, slice], np.ndarray]:
    """Return the window around the object and the coverage of its pixels, (h, w) float32."""
    reach = 0.75 * item.diameter + 2
    x0, y0 = (max(int(c - reach), 0) for c in item.center_xy)
    x1 = min(int(item.center_xy[0] + reach) + 1, width)
    y1 = min(int(item.center_xy[1] + reach) + 1, height)
    fine = np.zeros(((y1 - y0) * _SUPERSAMPLING, (x1 - x0) * _SUPERSAMPLING), np.uint8)
    turn = np.deg2rad(item.angle)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    corner = np.array([item.center_xy[0] - x0, item.center_xy[1] - y0])
    outlines = []
    for outline in unit_outlines(item.shape):
        points = outline @ rotation * (item.diameter / 2) + corner
        # Pixel i of the fine grid covers [i, i + 1), so its center is at i + 0.5.
        points = (points * _SUPERSAMPLING - 0.5) * 2**_SUBPIXEL_BITS
        outlines.append(np.round(points).astype(np.int32))
    cv2.fillPoly(fine, outlines, 255, shift=_SUBPIXEL_BITS)  # even-odd: inner outlines are holes
    coarse = cv2.resize(fine, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
    return (slice(y0, y1), slice(x0, x1)), coarse.astype(np.float32) / 255


def _object_paint(
    rng: np.random.Generator, item: ObjectLayout, window: tuple[slice, slice]
) -> np.ndarray:
    """Return the paint (h, w, 3) float32: the color, with stripes or dots if textured."""
    jitter = rng.uniform(-12, 12, 3)
    base = np.clip(np.array(COLORS[item.color]) + jitter, 0, 255).astype(np.float32)
    rows = np.arange(window[0].start, window[0].stop, dtype=np.float32)[:, None]
    columns = np.arange(window[1].start, window[1].stop, dtype=np.float32)[None]
    if item.texture == "solid":
        return np.broadcast_to(base, (rows.shape[0], columns.shape[1], 3))
    accent = base * 0.45 if base.mean() > 70 else base + 110
    period = max(item.diameter / 5, 4.0)
    turn = rng.uniform(0, np.pi)
    along = (columns * np.cos(turn) + rows * np.sin(turn)) / period
    across = (rows * np.cos(turn) - columns * np.sin(turn)) / period
    if item.texture == "striped":
        pattern = (along % 1) < 0.42
    else:
        pattern = ((along % 1) - 0.5) ** 2 + ((across % 1) - 0.5) ** 2 < 0.09
    return np.where(pattern[..., None], accent, base).astype(np.float32)


def _rim_shade(alpha: np.ndarray, diameter: float) -> np.ndarray:
    """Return (h, w) factors that darken the rim, to separate similar objects that overlap."""
    thickness = round(diameter * _RIM)
    kernel = np.ones((2 * thickness + 1, 2 * thickness + 1), np.uint8)
    return 0.55 + 0.45 * cv2.erode(alpha, kernel)


@cache
def unit_outlines(shape: str) -> tuple[np.ndarray, ...]:
    """Return the outlines of `shape`, each (K, 2) with y down, in about the square [-1, 1]^2.

    Each shape is mirror-symmetric, so a flipped image shows the same shape.
    """
    circle = _arc(0, 2 * np.pi, steps=48)
    if shape == "circle":
        return (circle,)
    if shape == "ring":
        return circle, 0.5 * circle
    if shape == "crescent":
        return (np.concatenate([_arc(0, np.pi), _arc(np.pi, 0) * (1, 0.35)]) * (1, 1.3) - (0, 0.6),)
    if shape == "heart":
        t = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
        return (np.stack([np.sin(t) ** 3, (y - 2.5) / 14.5], axis=1),)
    if shape == "hexagon":
        return (_arc(0, 2 * np.pi, steps=6),)
    if shape == "star":
        radii = np.tile([1.08, 0.46], 5)[:, None]
        return (_arc(-np.pi / 2, 3 * np.pi / 2, steps=10) * radii + (0, 0.08),)
    a = 0.36
    corners = {
        "square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
        "triangle": [(0, -1), (1, 0.9), (-1, 0.9)],
        "diamond": [(0, -1), (0.72, 0), (0, 1), (-0.72, 0)],
        "cross": [
            *((-a, -1), (a, -1), (a, -a), (1, -a), (1, a), (a, a)),
            *((a, 1), (-a, 1), (-a, a), (-1, a), (-1, -a), (-a, -a)),
        ],
    }
    scale = 0.88 if shape == "square" else 1.0
    return (np.array(corners[shape], dtype=np.float64) * scale,)


def _arc(start: float, stop: float, *, steps: int = 32) -> np.ndarray:
    whole_turn = abs(stop - start) >= 2 * np.pi - 1e-9
    angles = np.linspace(start, stop, steps, endpoint=not whole_turn)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def _measure(layout: SceneLayout, masks: np.ndarray, full_areas: list[int]) -> Scene:
    objects = []
    for item, mask, full_area in zip(layout.objects, masks, full_areas, strict=True):
        objects.append(
            SceneObject(
                shape=item.shape,
                color=item.color,
                size=item.size,
                texture=item.texture,
                box_xywh=_mask_box(mask),
                visible_area=int(mask.sum()),
                full_area=full_area,
            )
        )
    return Scene(height=layout.height, width=layout.width, objects=tuple(objects))


def _mask_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Return (x, y, w, h) of a mask (H, W); zeros if it is empty."""
    if not mask.any():
        return 0, 0, 0, 0
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    return int(x), int(y), int(w), int(h)
