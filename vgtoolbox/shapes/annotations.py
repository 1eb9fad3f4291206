"""Convert masks to COCO segmentations: polygons if they are accurate enough, else RLE."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import torch

from vgtoolbox.structures import RLE, decode_masks, encode_masks, segmentation_to_rle

MIN_POLYGON_IOU = 0.98
"""Lowest IoU of polygons with their mask; below it, finer polygons and then the RLE are used."""
_TOLERANCES = (0.7, 0.3)
_UPSAMPLING = 4

Segmentation: TypeAlias = list[list[float]] | RLE


def encode_mask(mask: np.ndarray) -> Segmentation:
    """Return the COCO segmentation of a non-empty bool mask (H, W).

    Polygons cannot represent holes and lose thin parts to rounding; such masks become compressed
    RLE.
    """
    x, y, w, h = cv2.boundingRect(mask.view(np.uint8))
    crop = mask[y : y + h, x : x + w]
    for tolerance in _TOLERANCES:
        polygons = trace_polygons(crop, tolerance=tolerance)
        if polygons and polygon_iou(polygons, crop) >= MIN_POLYGON_IOU:
            return [_shift(polygon, x, y) for polygon in polygons]
    return encode_masks(torch.from_numpy(mask)[None])[0]


def trace_polygons(mask: np.ndarray, *, tolerance: float) -> list[list[float]]:
    """Return one polygon [x1, y1, x2, y2, ...] per part of a mask; none if a part has a hole.

    Args:
        mask: Mask to trace, bool (H, W).
        tolerance: Largest distance in pixels between a polygon and the borders of the pixels.
    """
    # Contours run through pixel centers. On a finer grid they follow the borders of the pixels.
    fine = cv2.resize(
        mask.astype(np.uint8), None, fx=_UPSAMPLING, fy=_UPSAMPLING, interpolation=cv2.INTER_NEAREST
    )
    outlines, hierarchy = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    if (hierarchy[0, :, 3] >= 0).any():
        return []
    simplified = [cv2.approxPolyDP(line, tolerance * _UPSAMPLING, True) for line in outlines]
    return [((line + 0.5) / _UPSAMPLING).ravel().tolist() for line in simplified if len(line) > 2]


def polygon_iou(polygons: list[list[float]], mask: np.ndarray) -> float:
    """Return the IoU of polygons, as COCO fills them, with a bool mask (H, W)."""
    size = (mask.shape[0], mask.shape[1])
    drawn = decode_masks([segmentation_to_rle(polygons, size)])[0].numpy()
    return float((drawn & mask).sum() / max((drawn | mask).sum(), 1))


def _shift(polygon: list[float], x: int, y: int) -> list[float]:
    return [round(value + (x, y)[index % 2], 2) for index, value in enumerate(polygon)]
