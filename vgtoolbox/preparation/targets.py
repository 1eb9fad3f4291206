"""Check and repair the box and mask of a target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from vgtoolbox.structures import RLE, rle_areas, rle_boxes_xyxy, segmentation_to_rle
from vgtoolbox.structures.validation import are_finite
from vgtoolbox.utils.values import excerpt

Target = dict[str, Any]
TOLERANCE = 1.0
"""Allowed distance in pixels outside the image, as in the annotations of COCO."""
_MIN_BOX_IOU = 0.5
"""Lowest IoU of a box with the box of its mask; low, since annotated boxes can be rough."""
_MIN_SIDE = 4.0
"""Side in pixels below which a box is not compared: one pixel would change its IoU too much."""


def find_target_problems(target: Target, size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """Yield (kind of problem, message) for a target in an image of `size` (H, W)."""
    box, segmentation = target["bbox"], target["segmentation"]
    yield from _box_problems(box, size)
    if segmentation is None:
        return
    problems = list(_polygon_problems(segmentation, size))
    yield from problems
    if problems:
        return
    try:
        rle = segmentation_to_rle(segmentation, size)
    except (ValueError, TypeError, KeyError) as error:
        yield "rle-broken", str(error)
        return
    yield from _mask_problems(rle, box)


def _box_problems(box: list[float], size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    x, y, w, h = box
    height, width = size
    if w <= 0 or h <= 0:
        yield "box-empty", f"the box {box} has no area"
    elif min(x, y) < -TOLERANCE or x + w > width + TOLERANCE or y + h > height + TOLERANCE:
        yield "box-outside", f"the box {box} exceeds the image of {width} x {height} pixels"


def _polygon_problems(segmentation: Any, size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """Yield the problems of polygons; RLE has none."""
    if isinstance(segmentation, dict):
        return
    for position, polygon in enumerate(segmentation):
        if not is_polygon(polygon):
            yield (
                "polygon-broken",
                f"polygon {position} must have at least 3 points [x1, y1, x2, y2, ...], got "
                f"{excerpt(polygon[:8])}",
            )
        elif leaves_image(polygon, size):
            yield (
                "polygon-outside",
                f"polygon {position} exceeds the image of {size[1]} x {size[0]} pixels",
            )


def is_polygon(points: Any) -> bool:
    """Return whether `points` are alternating x and y of at least three points."""
    return bool(len(points) >= 6 and len(points) % 2 == 0 and are_finite(points))


def leaves_image(polygon: list[float], size: tuple[int, int]) -> bool:
    """Return whether a point of the polygon is outside the image by more than `TOLERANCE`."""
    height, width = size
    xs, ys = polygon[::2], polygon[1::2]
    return min(*xs, *ys) < -TOLERANCE or max(xs) > width + TOLERANCE or max(ys) > height + TOLERANCE


def _mask_problems(rle: RLE, box: list[float]) -> Iterator[tuple[str, str]]:
    if not rle_areas([rle])[0]:
        yield "mask-empty", "the mask has no pixels"
        return
    x1, y1, x2, y2 = rle_boxes_xyxy([rle])[0].tolist()
    is_tiny = min(x2 - x1, y2 - y1) < _MIN_SIDE
    if min(box[2:]) > 0 and not is_tiny and _iou((x1, y1, x2, y2), box) < _MIN_BOX_IOU:
        tight = [x1, y1, x2 - x1, y2 - y1]
        yield "box-mask", f"the box {box} does not match the box of the mask, {tight}"


def repair_target(target: Target, size: tuple[int, int]) -> tuple[Target | None, list[str]]:
    """Repair the mask of a target, and its box from the mask; a box without a mask is clipped.

    Returns:
        The repaired target, or `None` if it must be dropped, and descriptions of the changes.
    """
    segmentation, changes = _repair_polygons(target["segmentation"], size)
    repaired = {**target, "segmentation": segmentation}
    kinds = {kind for kind, _ in find_target_problems(repaired, size)}
    if kinds & {"rle-broken", "mask-empty"}:
        return None, [*changes, "dropped: its mask has no valid pixels"]
    if kinds & {"box-empty", "box-outside", "box-mask"}:
        if segmentation is None:
            repaired["bbox"] = _clip_box(target["bbox"], size)
            changes.append("box clipped at the image border")
        else:
            x1, y1, x2, y2 = rle_boxes_xyxy([segmentation_to_rle(segmentation, size)])[0].tolist()
            repaired["bbox"] = [x1, y1, x2 - x1, y2 - y1]
            changes.append("box recomputed from the mask")
    if min(repaired["bbox"][2:]) <= 0:
        return None, [*changes, "dropped: its box has no area"]
    return repaired, changes


def _repair_polygons(segmentation: Any, size: tuple[int, int]) -> tuple[Any, list[str]]:
    """Drop broken polygons, and clip the others at the image border."""
    if segmentation is None or isinstance(segmentation, dict):
        return segmentation, []
    polygons = [polygon for polygon in segmentation if is_polygon(polygon)]
    changes = ["broken polygon dropped"] if len(polygons) < len(segmentation) else []
    if any(leaves_image(polygon, size) for polygon in polygons):
        polygons = [_clip_polygon(polygon, size) for polygon in polygons]
        changes.append("polygon clipped at the image border")
    return polygons if changes else segmentation, changes


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
