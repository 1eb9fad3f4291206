"""Check masks, boxes and scores that come from files or users.

pycocotools does not check its input: run lengths that do not cover their image make it loop forever
or read foreign memory, and a far polygon crashes the process. Every mask is therefore checked here
before pycocotools reads it. The functions return what they checked, and raise `GeometryError` if it
is invalid.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from pycocotools import mask as coco_mask

from vgtoolbox.structures.recent_masks import VALID_MASKS
from vgtoolbox.structures.run_lengths import (
    Runs,
    canonical_runs,
    unpack_runs,
)
from vgtoolbox.utils.values import are_numbers, describe, excerpt

Number: TypeAlias = int | float
Size: TypeAlias = tuple[int, int]

MAX_COORDINATE = 2.0**31
"""Limit of coordinates whose image may be unknown."""
MAX_OVERHANG = 8.0
"""Distance in pixels by which annotations may exceed their image, as happens by rounding."""
_MAX_SIDE = 100_000
_MAX_PIXELS = 2**29 - 1  # pycocotools decodes longer runs wrongly
_MAX_SCORE = 3e38  # of float32
_FRACTIONS = (-0.1, 1.1)  # predicted fractions can exceed 0 and 1

_PREDICTION_KEYS = ("size", "boxes_xyxy", "scores", "masks", "merged_mask", "no_target")


class GeometryError(ValueError):
    """Error for a mask, box or score that violates its format; the caller adds file and place."""


# --- masks ----------------------------------------------------------------------------------------


def check_size(size: Any, what: str = "size") -> Size:
    """Return the size [height, width] of an image as a tuple.

    Args:
        size: Value to check.
        what: Name of the value in the error.

    Raises:
        GeometryError: `size` is not two positive integers, or too large for a mask.
    """
    if isinstance(size, list | tuple) and len(size) == 2:
        height, width = size
        if type(height) is int and type(width) is int:
            is_short = 0 < height < _MAX_SIDE and 0 < width < _MAX_SIDE
            if is_short and height * width <= _MAX_PIXELS:
                return height, width
    found = excerpt(list(size), 60) if isinstance(size, list | tuple) else describe(size)
    raise GeometryError(
        f"{what} must be [height, width] of an image, positive integers below {_MAX_SIDE} for at "
        f"most {_MAX_PIXELS} pixels, got {found}"
    )


def check_rle(rle: Any, size: Size | None = None, what: str = "a mask") -> dict[str, Any]:
    """Return a run-length encoding with compressed text as `counts`.

    Args:
        rle: COCO's `{"size": [H, W], "counts": ...}` with compressed text, compressed bytes, or a
            list of run lengths.
        size: Height and width (H, W) of the image. If `None`, the encoding may have any size.
        what: Name of the mask in the error.

    Raises:
        GeometryError: `rle` is not such a mapping, is for an image of another size, or its runs do
            not cover the image exactly.
    """
    if type(rle) is dict and VALID_MASKS.has(rle, size):
        return rle
    if not isinstance(rle, Mapping) or "size" not in rle or "counts" not in rle:
        raise GeometryError(
            f"{what} must be a run-length encoding with the keys 'size' and 'counts', got "
            f"{describe(rle)}"
        )
    own = check_size(rle["size"], f"the size of {what}")
    if size is not None:  # first, since a wrong size explains wrong run lengths
        check_rle_size(rle, size, what)
    counts = _check_counts(rle["counts"], own, what)
    VALID_MASKS.add(counts, own)
    return {"size": list(own), "counts": counts}


def check_rle_size(rle: Mapping[str, Any], size: Size, what: str = "a mask") -> None:
    """Raise `GeometryError` if `rle` encodes a mask of another size than `size` (H, W)."""
    if list(rle["size"]) != list(size):
        raise GeometryError(
            f"{what} must have the height x width of its image, {size[0]} x {size[1]}, got "
            f"{rle['size'][0]} x {rle['size'][1]}"
        )


def _check_counts(counts: Any, size: Size, what: str) -> str:
    """Return the run lengths of a mask of `size` (H, W) as compressed text."""
    text = counts.decode("latin-1") if isinstance(counts, bytes) else counts
    try:
        if isinstance(text, str):
            runs = unpack_runs(text)
            checked = _check_runs(runs, size)
            return text if checked is runs else _pack(checked, size)
        if isinstance(text, list | tuple):
            return _pack(_check_runs(_as_runs(text), size), size)
    except (ValueError, OverflowError) as error:
        raise GeometryError(
            f"{what} is not a valid run-length encoding: {error}; encode the mask again, or remove "
            "it"
        ) from None
    raise GeometryError(
        f"the counts of {what} must be text, bytes or a list of integers, got {describe(counts)}"
    )


def _check_runs(runs: Runs, size: Size) -> Runs:
    """Return run lengths without empty runs after the first; pycocotools misreads these."""
    pixels, found = size[0] * size[1], int(runs.sum())
    shortest = int(runs.min(initial=pixels))
    if found != pixels or shortest < 0:
        negative = f", the shortest {shortest}" if shortest < 0 else ""
        raise ValueError(
            "the run lengths must be non-negative and add up to the pixels of its image, got "
            f"{len(runs)} runs of {found} pixels{negative}, the image has {pixels} "
            f"({size[0]} x {size[1]})"
        )
    return runs if shortest > 0 or runs[1:].all() else canonical_runs(runs)


def _as_runs(counts: Sequence[Any]) -> Runs:
    """Convert a list of run lengths; whole floats are accepted."""
    kinds = set(map(type, counts))
    if not kinds <= {int}:
        is_whole = are_numbers(counts) and all(int(count) == count for count in counts)
        if not is_whole:
            raise ValueError(f"the counts must be integers, got {excerpt(list(counts[:8]), 60)}")
    return np.fromiter(map(int, counts), np.int64, len(counts))


def _pack(runs: Runs, size: Size) -> str:
    encoded = coco_mask.frPyObjects({"size": list(size), "counts": runs.tolist()}, *size)
    return encoded["counts"].decode()


def check_coordinates(polygons: Any, what: str = "the mask") -> None:
    """Raise `GeometryError` unless `polygons` is a list of lists of finite numbers."""
    if not isinstance(polygons, list | tuple) or not polygons:
        raise GeometryError(f"{what} must be a list of polygons, got {describe(polygons)}")
    for position, polygon in enumerate(polygons):
        if not isinstance(polygon, list | tuple | np.ndarray):
            raise GeometryError(
                f"{what}, polygon {position}, must be a list [x1, y1, x2, y2, ...], got "
                f"{describe(polygon)}"
            )
        if not are_finite(polygon):
            raise GeometryError(
                f"the coordinates of {what}, polygon {position}, must be numbers, all finite, got "
                f"{excerpt(list(polygon[:8]))}"
            )


def check_polygons(
    polygons: Any,
    size: Size | None = None,
    *,
    max_overhang: float = MAX_OVERHANG,
    what: str = "the mask",
) -> tuple[list[Any], list[int]]:
    """Return the usable polygons of a mask and the positions of the unusable ones.

    A part with fewer than three points or half a point is unusable. The loaders of published
    systems drop such parts, so they are an error only if no other part remains.

    Args:
        polygons: Parts [x1, y1, x2, y2, ...] of one mask.
        size: Height and width (H, W) of the image. If `None`, coordinates are only compared with
            `MAX_COORDINATE`.
        max_overhang: Maximum distance in pixels of a point from the image.
        what: Name of the mask in the error.

    Raises:
        GeometryError: A coordinate is not a finite number or is far outside the image, or no part
            is usable.
    """
    check_coordinates(polygons, what)
    if are_inside(polygons, size, max_overhang):
        return list(polygons), []
    usable, unusable = [], []
    for position, polygon in enumerate(polygons):
        if len(polygon) < 6 or len(polygon) % 2:
            unusable.append(position)
            continue
        if not are_inside([polygon], size, max_overhang):
            raise _far_point(polygon, size, max_overhang, f"{what}, polygon {position},")
        usable.append(polygon)
    if not usable:
        raise GeometryError(
            f"the polygons of {what} must have at least 3 points [x1, y1, x2, y2, ...], got "
            f"{len(polygons[0])} numbers: {excerpt(list(polygons[0][:8]))}"
        )
    return usable, unusable


def are_inside(
    polygons: Sequence[Any], size: Size | None = None, max_overhang: float = MAX_OVERHANG
) -> bool:
    """Return whether all polygons have three points or more, near an image.

    Args:
        polygons: Polygons [x1, y1, x2, y2, ...] of numbers.
        size: Height and width (H, W) of the image. If `None`, `MAX_COORDINATE` is the limit.
        max_overhang: Maximum distance in pixels of a point from the image.
    """
    low, right, bottom = -MAX_COORDINATE, MAX_COORDINATE, MAX_COORDINATE
    if size is not None:
        low, right, bottom = -max_overhang, size[1] + max_overhang, size[0] + max_overhang
    for polygon in polygons:
        if len(polygon) < 6 or len(polygon) % 2 or min(polygon) < low:
            return False
        if max(polygon[::2]) > right or max(polygon[1::2]) > bottom:
            return False
        if math.isnan(sum(polygon)):  # one of the coordinates is NaN
            return False
    return len(polygons) > 0


def are_finite(values: Sequence[Any] | np.ndarray) -> bool:
    """Return whether all values are finite numbers; their sum is not if one of them is not."""
    try:
        return are_numbers(values) and bool(abs(sum(values)) < _MAX_SCORE)
    except OverflowError:  # an integer beyond the range of floats
        return False


def _far_point(
    polygon: Sequence[Number], size: Size | None, max_overhang: float, what: str
) -> GeometryError:
    """Describe the point of a polygon that is farthest from the image."""
    height, width = size or (0, 0)
    points = list(zip(polygon[::2], polygon[1::2], strict=True))
    distances = [max(-x, -y, x - width, y - height) for x, y in points]
    x, y = points[distances.index(max(distances))]
    limits = f"the image of width {width} and height {height}" if size else "an image"
    return GeometryError(
        f"{what} must be inside {limits}, got the point ({excerpt(x, 20)}, {excerpt(y, 20)}); up "
        f"to {max_overhang:g} px beyond the border are clipped"
    )


# --- boxes, scores and predictions ----------------------------------------------------------------


def check_box(box: Any, what: str) -> list[Number]:
    """Return a box of four finite numbers as a list.

    Args:
        box: Value to check.
        what: Name of the box in the error.

    Raises:
        GeometryError: `box` is not such a list.
    """
    is_box = isinstance(box, list | tuple) and len(box) == 4
    if is_box and are_numbers(box):
        a, b, c, d = box
        low, high = -MAX_COORDINATE, MAX_COORDINATE
        if low < a < high and low < b < high and low < c < high and low < d < high:
            return list(box)
    found = excerpt(list(box)) if is_box else describe(box)
    raise GeometryError(f"{what} must be a box of 4 finite numbers, got {found}")


def check_boxes(boxes: Any, what: str = "boxes_xyxy") -> list[list[Number]]:
    """Return corner boxes as lists.

    Args:
        boxes: List of boxes [x1, y1, x2, y2] in pixels.
        what: Name of the boxes in the error.

    Raises:
        GeometryError: `boxes` is not a list of such boxes, or a box has x2 < x1 or y2 < y1.
    """
    if not isinstance(boxes, list | tuple):
        raise GeometryError(f"{what} must be a list of boxes, got {describe(boxes)}")
    for position, box in enumerate(boxes):
        x1, y1, x2, y2 = check_box(box, f"{what}[{position}]")
        if x2 < x1 or y2 < y1:
            raise GeometryError(
                f"{what}[{position}] must be a box with x1 <= x2 and y1 <= y2, got "
                f"{excerpt(list(box))}; check whether its corners are swapped, or whether it is "
                "x, y, width, height"
            )
    return list(map(list, boxes))


def check_scores(scores: Any, what: str = "scores") -> list[Number]:
    """Return scores as a list of finite numbers.

    Args:
        scores: List of scores.
        what: Name of the scores in the error.

    Raises:
        GeometryError: `scores` is not such a list.
    """
    if not isinstance(scores, list | tuple):
        raise GeometryError(f"{what} must be a list of numbers, got {describe(scores)}")
    for position, score in enumerate(scores):
        if not are_numbers((score,)) or not -_MAX_SCORE < score < _MAX_SCORE:
            raise GeometryError(
                f"{what}[{position}] must be a finite number, got {describe(score)}"
            )
    return list(scores)


def check_prediction(record: Any) -> dict[str, Any]:
    """Return a copy of a line of `predictions.jsonl` with checked geometry and masks.

    Args:
        record: Mapping with `size`, `boxes_xyxy`, `scores`, `masks`, `merged_mask` and `no_target`;
            all in the frame of the image. Other keys are kept.

    Raises:
        GeometryError: A key is missing or its value is invalid; the message names the key.
    """
    if not isinstance(record, Mapping):
        raise GeometryError(f"a prediction must be an object, got {describe(record)}")
    missing = [key for key in _PREDICTION_KEYS if key not in record]
    if missing:
        raise GeometryError(f"a prediction must have the key {missing[0]!r}, got {sorted(record)}")
    size = check_size(record["size"])
    boxes, scores = check_boxes(record["boxes_xyxy"]), check_scores(record["scores"])
    merged, masks = record["merged_mask"], record["masks"]
    if len(scores) != len(boxes):
        raise GeometryError(
            f"scores must have one number per box, got {len(boxes)} boxes and {len(scores)} scores"
        )
    if not isinstance(masks, list | tuple):
        raise GeometryError(f"masks must be a list, empty without masks, got {describe(masks)}")
    if masks and len(masks) != len(boxes):
        raise GeometryError(
            f"masks must be empty or have one mask per box, got {len(boxes)} boxes and "
            f"{len(masks)} masks"
        )
    if not isinstance(record["no_target"], bool):
        raise GeometryError(f"no_target must be true or false, got {describe(record['no_target'])}")
    existence = record.get("existence", 0.0)
    if not are_numbers((existence,)) or not 0 <= existence <= 1:
        raise GeometryError(f"existence must be a number in [0, 1], got {describe(existence)}")
    return {
        **record,
        "boxes_xyxy": boxes,
        "scores": scores,
        "merged_mask": None if merged is None else check_rle(merged, size, "merged_mask"),
        "masks": [check_rle(mask, size, f"masks[{i}]") for i, mask in enumerate(masks)],
    }


class FractionDetector:
    """Finds out whether all boxes of a file are fractions of their images instead of pixels.

    Attributes:
        is_any_in_pixels: Whether a box has been found that is not within one pixel.
    """

    def __init__(self) -> None:
        self.is_any_in_pixels = False
        self._has_area = False

    @property
    def are_fractions(self) -> bool:
        """Whether there are boxes with an area, and all of them are within one pixel."""
        return self._has_area and not self.is_any_in_pixels

    def add(self, boxes: Iterable[Sequence[Number]]) -> None:
        """Look at boxes in any format, until one is in pixels."""
        low, high = _FRACTIONS
        for box in () if self.is_any_in_pixels else boxes:
            self.is_any_in_pixels |= min(box) < low or max(box) > high
            self._has_area |= box[2] > 0 and box[3] > 0

    def check(self, what: str) -> None:
        """Raise `GeometryError` if the boxes of `what` are fractions."""
        if self.are_fractions:
            raise GeometryError(
                f"{what} must have boxes in pixels, got only boxes within one pixel; are they "
                "fractions of the image? Multiply them by its width and height"
            )
