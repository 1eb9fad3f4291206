"""Masks as the official annotation files hold them: polygons where they suffice, else RLE."""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import numpy as np
from pycocotools import mask as mask_utils

MIN_POLYGON_IOU = 0.97
"""A polygon that reproduces its mask less well is replaced by the exact RLE."""
_UPSAMPLING = 4
_TOLERANCE = 0.3

Segmentation: TypeAlias = list[list[float]] | dict[str, Any]


def encode_mask(mask: np.ndarray) -> Segmentation:
    """Return the COCO segmentation of a non-empty bool mask (H, W).

    Polygons cannot say holes, and lose thin parts to rounding: there the compressed RLE stands.
    """
    polygons = trace_polygons(mask)
    if polygons is not None and _polygon_iou(polygons, mask) >= MIN_POLYGON_IOU:
        return polygons
    return encode_rle(mask)


def encode_rle(mask: np.ndarray) -> dict[str, Any]:
    """Return the compressed RLE of a bool mask (H, W), its counts as text."""
    rle = mask_utils.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def trace_polygons(mask: np.ndarray) -> list[list[float]] | None:
    """Return one polygon [x1, y1, x2, y2, ...] a part of `mask` (H, W), None if one has a hole."""
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    # Contours run through pixel centres; on a finer grid they run along the pixels' borders.
    crop = np.kron(mask[y : y + h, x : x + w], np.ones((_UPSAMPLING, _UPSAMPLING), np.uint8))
    outlines, hierarchy = cv2.findContours(
        crop.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE
    )
    if (hierarchy[0, :, 3] >= 0).any():
        return None
    polygons = []
    for outline in outlines:
        outline = cv2.approxPolyDP(outline, _TOLERANCE * _UPSAMPLING, True)[:, 0]
        if len(outline) < 3:
            return None
        points = (outline + 0.5) / _UPSAMPLING + (x, y)
        polygons.append([round(float(value), 2) for value in points.reshape(-1)])
    return polygons


def _polygon_iou(polygons: list[list[float]], mask: np.ndarray) -> float:
    height, width = mask.shape
    drawn = mask_utils.decode(mask_utils.merge(mask_utils.frPyObjects(polygons, height, width)))
    drawn = drawn.astype(bool)
    return float((drawn & mask).sum() / max((drawn | mask).sum(), 1))
