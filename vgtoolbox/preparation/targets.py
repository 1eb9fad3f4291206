"""What can be wrong with a target: its box, its polygons or run lengths, and how they agree."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from vgtoolbox.structures import RLE, rle_areas, rle_boxes_xyxy, segmentation_to_rle

Target = dict[str, Any]
TOLERANCE = 1.0
"""Pixels by which annotators may leave the image: COCO's own boxes and polygons do."""
_LEAST_AGREEMENT = 0.5
"""IoU of a box with its mask's; between an empty and a wrong box lies a lot."""
_TINY = 4.0
"""Sides in pixels below which a box and its mask's may differ by a pixel each way."""


def target_faults(target: Target, size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """Yield (kind of fault, what was found) for a target of an image of `size` (H, W)."""
    box, segmentation = target["bbox"], target["segmentation"]
    yield from _box_faults(box, size)
    if segmentation is None:
        return
    faults = list(_outline_faults(segmentation, size))
    yield from faults
    if faults:
        return
    try:
        rle = segmentation_to_rle(segmentation, size)
    except (ValueError, TypeError, KeyError) as error:
        yield "rle-broken", str(error)
        return
    yield from _mask_faults(rle, box)


def _box_faults(box: list[float], size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    x, y, w, h = box
    height, width = size
    if w <= 0 or h <= 0:
        yield "box-empty", f"the box {box} has no area"
    elif min(x, y) < -TOLERANCE or x + w > width + TOLERANCE or y + h > height + TOLERANCE:
        yield "box-outside", f"the box {box} leaves the image of {width} x {height} pixels"


def _outline_faults(segmentation: Any, size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """Look at polygons; run lengths have none."""
    if isinstance(segmentation, dict):
        return
    for polygon in segmentation:
        if not is_polygon(polygon):
            yield "polygon-broken", f"a polygon of {len(polygon)} values is none: {polygon[:8]}"
        elif leaves_image(polygon, size):
            yield "polygon-outside", f"a polygon leaves the image of {size[1]} x {size[0]} pixels"


def is_polygon(points: Any) -> bool:
    """Tell whether these are x and y in turn of at least three points."""
    return (
        len(points) >= 6
        and len(points) % 2 == 0
        and all(isinstance(value, int | float) and math.isfinite(value) for value in points)
    )


def leaves_image(polygon: list[float], size: tuple[int, int]) -> bool:
    """Tell whether a point of the polygon is outside the image by more than the tolerance."""
    height, width = size
    xs, ys = polygon[::2], polygon[1::2]
    return min(*xs, *ys) < -TOLERANCE or max(xs) > width + TOLERANCE or max(ys) > height + TOLERANCE


def _mask_faults(rle: RLE, box: list[float]) -> Iterator[tuple[str, str]]:
    if not rle_areas([rle])[0]:
        yield "mask-empty", "the mask has no pixel"
        return
    x1, y1, x2, y2 = rle_boxes_xyxy([rle])[0].tolist()
    is_tiny = min(x2 - x1, y2 - y1) < _TINY
    if min(box[2:]) > 0 and not is_tiny and _iou((x1, y1, x2, y2), box) < _LEAST_AGREEMENT:
        tight = [x1, y1, x2 - x1, y2 - y1]
        yield "box-mask", f"the box {box} is not that of the mask, {tight}"


def mend_target(target: Target, size: tuple[int, int]) -> tuple[Target | None, list[str]]:
    """Repair the box and mask of a target; a mask tells its box, a box tells no mask.

    Returns:
        The target, None where nothing is left to go by, and what was done.
    """
    segmentation, done = _mend_outline(target["segmentation"], size)
    mended = {**target, "segmentation": segmentation}
    kinds = {kind for kind, _ in target_faults(mended, size)}
    if kinds & {"rle-broken", "mask-empty"}:
        return None, [*done, "left out: nothing can be drawn of its mask"]
    if kinds & {"box-empty", "box-outside", "box-mask"}:
        if segmentation is None:
            mended["bbox"] = _clip_box(target["bbox"], size)
            done.append("box cut at the image's border")
        else:
            x1, y1, x2, y2 = rle_boxes_xyxy([segmentation_to_rle(segmentation, size)])[0].tolist()
            mended["bbox"] = [x1, y1, x2 - x1, y2 - y1]
            done.append("box taken from the mask")
    if min(mended["bbox"][2:]) <= 0:
        return None, [*done, "left out: its box has no area"]
    return mended, done


def _mend_outline(segmentation: Any, size: tuple[int, int]) -> tuple[Any, list[str]]:
    """Drop what is no polygon, and cut polygons at the image's border."""
    if segmentation is None or isinstance(segmentation, dict):
        return segmentation, []
    polygons = [polygon for polygon in segmentation if is_polygon(polygon)]
    done = ["broken polygon dropped"] if len(polygons) < len(segmentation) else []
    if any(leaves_image(polygon, size) for polygon in polygons):
        polygons = [_clip_polygon(polygon, size) for polygon in polygons]
        done.append("polygon cut at the image's border")
    return polygons if done else segmentation, done


def _clip_polygon(polygon: list[float], size: tuple[int, int]) -> list[float]:
    """Move points outside the image to its border."""
    return [min(max(v, 0), size[1 - i % 2]) for i, v in enumerate(polygon)]


def _clip_box(box: list[float], size: tuple[int, int]) -> list[float]:
    x, y, w, h = box
    x1, y1, x2, y2 = _clip_polygon([x, y, x + w, y + h], size)
    return [x1, y1, x2 - x1, y2 - y1]


def _iou(corners: tuple[float, float, float, float], box: list[float]) -> float:
    x1, y1, x2, y2 = corners
    x, y, w, h = box
    across = max(0.0, min(x2, x + w) - max(x1, x))
    down = max(0.0, min(y2, y + h) - max(y1, y))
    shared = across * down
    return shared / ((x2 - x1) * (y2 - y1) + w * h - shared)
