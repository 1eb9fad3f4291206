"""Paint the shapes of a LabelMe file onto the pixels of its image."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import cv2
import numpy as np
import torch
from PIL import Image

from vgtoolbox.datasets.annotations.annotation_files import (
    FieldError,
    describe,
    expect,
    expect_items,
    expect_value,
)
from vgtoolbox.structures import RLE, encode_masks, rle_boxes_xyxy

Shape: TypeAlias = dict[str, Any]

_TARGET, _IGNORED = 1, 255
_CORNER_SHAPES = ("polygon", "rotation", "oriented_rectangle", "quadrilateral")
"""Shapes whose points are the corners of an area."""
_DRAWN = ("polygon", "rectangle", "circle", "mask", *_CORNER_SHAPES[1:])
_MAX_COORDINATE = 1e5


class _Area(Protocol):
    """Area that can be painted."""

    def count(self, size: tuple[int, int]) -> int:
        """Count the pixels of the area in an image of `size` (H, W)."""

    def paint(self, canvas: np.ndarray, value: int) -> None:
        """Paint the area onto a canvas (H, W) uint8."""


def paint_shapes(
    shapes: list[Shape], size: tuple[int, int]
) -> tuple[dict[str, Any] | None, RLE | None]:
    """Paint labeled shapes over each other, the largest first, as published (LISA).

    A label that contains "ignore" marks pixels to be ignored; shapes labeled "flag" are skipped.
    Coordinates are truncated to whole pixels, and the outline of a shape belongs to it. A shape
    without `shape_type` is a polygon. Lines and points have no area and are rejected.

    Args:
        shapes: Shapes `{"label", "points": [[x, y], ...], "shape_type"}`.
        size: Size of the image (H, W).

    Returns:
        The target that remains visible, and the ignored pixels; `None` for each without pixels.

    Raises:
        FieldError: A shape violates the format, or has no area by its type.
    """
    canvas = np.zeros(size, np.uint8)
    painted = [
        (
            _area_of(shape, position, size),
            _IGNORED if "ignore" in expect(shape, "label", str).lower() else _TARGET,
        )
        for position, shape in enumerate(shapes)
        if expect(shape, "label", str).lower() != "flag"
    ]
    counts = np.array([area.count(size) for area, _ in painted], np.uint64)
    for position in np.argsort(counts)[::-1] if painted else ():
        area, value = painted[position]
        area.paint(canvas, value)
    region, ignored = encode_masks(
        torch.from_numpy(np.stack([canvas == _TARGET, canvas == _IGNORED]))
    )
    x1, y1, x2, y2 = rle_boxes_xyxy([region])[0].tolist()
    target = {"bbox": [x1, y1, x2 - x1, y2 - y1], "segmentation": region, "ann_id": 0}
    return (target if x2 > x1 else None), (ignored if (canvas == _IGNORED).any() else None)


@dataclass(frozen=True)
class _Polygon:
    """Area within a closed line through `points` (P, 2) int32, including the line."""

    points: np.ndarray

    def count(self, size: tuple[int, int]) -> int:
        """Count the pixels; only the bounding box is painted."""
        height, width = size
        x1, y1 = np.clip(self.points.min(0) - 1, 0, None)
        x2, y2 = np.clip(self.points.max(0) + 2, 0, (width, height))
        if x2 <= x1 or y2 <= y1:
            return 0
        part = np.zeros((y2 - y1, x2 - x1), np.uint8)
        _Polygon(self.points - (x1, y1)).paint(part, 1)
        return int(part.sum())

    def paint(self, canvas: np.ndarray, value: int) -> None:
        """Paint the line, and the area within it."""
        outline = [self.points.astype(np.int32)]
        cv2.polylines(canvas, outline, True, value, 1)
        cv2.fillPoly(canvas, outline, value)


@dataclass(frozen=True)
class _Bitmap:
    """Set pixels of `pixels` (h, w) bool, whose upper left corner is at `corner` (x, y)."""

    pixels: np.ndarray
    corner: tuple[int, int]

    def count(self, size: tuple[int, int]) -> int:
        """Count the pixels within the image."""
        part = np.zeros(size, np.uint8)
        self.paint(part, 1)
        return int(part.sum())

    def paint(self, canvas: np.ndarray, value: int) -> None:
        """Paint the set pixels within the canvas."""
        x, y = self.corner
        left, top = max(-x, 0), max(-y, 0)
        target = canvas[max(y, 0) :, max(x, 0) :]
        source = self.pixels[top : top + target.shape[0], left : left + target.shape[1]]
        target[: source.shape[0], : source.shape[1]][source] = value


def _area_of(shape: Shape, position: int, size: tuple[int, int]) -> _Area:
    kind = shape.get("shape_type")
    kind = "polygon" if kind is None else expect_value(kind, "the key 'shape_type'", str)
    try:
        if kind in _CORNER_SHAPES:
            return _Polygon(_points(shape).astype(np.int32))
        if kind == "rectangle":
            return _rectangle(_points(shape))
        if kind == "circle":
            return _circle(_points(shape), size)
        if kind == "mask":
            return _bitmap(shape, size)
    except FieldError as error:
        raise FieldError(f"shape {position} (shape_type {kind!r}): {error}") from None
    raise FieldError(
        f"shape {position}: the key 'shape_type' must be one with an area "
        f"({', '.join(_DRAWN)}), got {kind!r:.60}; draw the area as a polygon"
    )


def _points(shape: Shape) -> np.ndarray:
    """Return the points of a shape, (P, 2) float64."""
    points = expect_items(shape, "points", list)
    if not points or not all(len(p) == 2 and set(map(type, p)) <= {int, float} for p in points):
        raise FieldError(f"the key 'points' must be pairs of numbers, got {points!r:.60}")
    try:
        corners = np.asarray(points, np.float64)
    except OverflowError:
        corners = np.full((1, 2), np.inf)
    if not np.isfinite(corners).all() or np.abs(corners).max() > _MAX_COORDINATE:
        raise FieldError(f"the key 'points' must be pixel coordinates, got {points!r:.60}")
    return corners


def _rectangle(points: np.ndarray) -> _Polygon:
    """Return a rectangle from two opposite corners, or from all four."""
    if len(points) == 4:
        return _Polygon(points.astype(np.int32))
    (x1, y1), (x2, y2) = _pair(points, "two opposite corners").astype(np.int32)
    return _Polygon(np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.int32))


def _circle(points: np.ndarray, size: tuple[int, int]) -> _Bitmap:
    """Return the pixels within a circle, given by its center and a point of its line."""
    center, edge = _pair(points, "the center and a point of the line")
    radius = float(np.hypot(*(edge - center)))
    limits = (size[1], size[0])
    first = np.clip(np.ceil(center - radius), 0, limits).astype(int)
    stop = np.clip(np.floor(center + radius) + 1, 0, limits).astype(int)
    columns, rows = (np.arange(a, b) - c for a, b, c in zip(first, stop, center, strict=True))
    return _Bitmap(np.hypot(columns, rows[:, None]) <= radius, (int(first[0]), int(first[1])))


def _bitmap(shape: Shape, size: tuple[int, int]) -> _Bitmap:
    """Return a mask that is a PNG image in base64, placed at the first of two points."""
    first, last = _pair(_points(shape), "the upper left and the lower right corner").astype(int)
    extent = last - first + 1  # the corners are pixels of the mask
    try:
        data = base64.b64decode(expect(shape, "mask", str), validate=True)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            # Before it is decoded: a small file can expand to any size.
            _check_bitmap_size(image.size, extent, size)
            plain = image if image.mode in ("1", "L", "P") else image.convert("L")
            pixels = np.asarray(plain) > 0
    except FieldError:
        raise
    except Exception as error:  # decoders raise errors of many types
        raise FieldError(f"the key 'mask' must be a PNG image in base64: {error}") from None
    return _Bitmap(pixels, (int(first[0]), int(first[1])))


def _check_bitmap_size(found: tuple[int, int], extent: np.ndarray, size: tuple[int, int]) -> None:
    """Raise unless a bitmap (W, H) fits its corners, to a pixel, and the image (H, W)."""
    fits_corners = all(abs(a - int(b)) <= 1 for a, b in zip(found, extent, strict=True))
    if not fits_corners or found[0] > size[1] + 1 or found[1] > size[0] + 1:
        raise FieldError(
            f"the key 'mask' must be an image as large as its points say, {extent[0]} x "
            f"{extent[1]} (width x height), within an image of {size[1]} x {size[0]}, got "
            f"{found[0]} x {found[1]}"
        )


def _pair(points: np.ndarray, meaning: str) -> np.ndarray:
    if len(points) != 2:
        raise FieldError(
            f"the key 'points' must be 2 points, {meaning}, got {describe(points.tolist())}"
        )
    return points
