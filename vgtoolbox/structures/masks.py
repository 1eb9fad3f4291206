"""Masks as dense tensors, run-length encodings and polygons, and conversions between them.

dense    bool tensor (N, H, W) or (H, W)
RLE      COCO's run-length encoding {"size": [H, W], "counts": str}, serializable as JSON; used to
         store and compare masks
polygon  COCO's [[x1, y1, x2, y2, ...], ...] in pixels; used in annotations

Areas, boxes, unions and IoUs are computed from run lengths without decoding. All functions accept
zero masks. Encodings are checked before pycocotools reads them (see `validation`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, cast

import cv2
import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor
from torch.nn import functional as F

from vgtoolbox.structures.recent_masks import VALID_MASKS
from vgtoolbox.structures.run_lengths import decode_runs_resized, unpack_runs
from vgtoolbox.structures.validation import (
    MAX_OVERHANG,
    check_polygons,
    check_rle,
    check_rle_size,
)


class RLE(TypedDict):
    """Compressed COCO run-length encoding, with `counts` as text so that JSON can hold it.

    Attributes:
        size: [H, W] of the image.
        counts: Compressed run lengths, down the columns.
    """

    size: list[int]
    counts: str


Segmentation = Sequence[Sequence[float]] | dict[str, Any]
MaskResize = Literal["nearest", "bilinear"]


# --- dense <-> RLE --------------------------------------------------------------------------------


def encode_masks(masks: Tensor) -> list[RLE]:
    """Encode dense masks.

    Args:
        masks: Masks (N, H, W), bool or 0/1.

    Returns:
        N run-length encodings.

    Raises:
        ValueError: `masks` does not have three dimensions.
    """
    if masks.ndim != 3:
        raise ValueError(f"masks must have shape (N, H, W), got {tuple(masks.shape)}")
    # pycocotools expects (H, W, N) in column-major order: an (N, W, H) array with axes reversed.
    columns = masks.to(torch.uint8).transpose(1, 2).contiguous().cpu().numpy()
    return [_as_text(rle) for rle in coco_mask.encode(columns.transpose(2, 1, 0))]


def decode_masks(rles: Sequence[RLE], size: tuple[int, int] | None = None) -> Tensor:
    """Decode run-length encodings.

    Args:
        rles: N encodings of the same size.
        size: Expected height and width (H, W). If `None`, the size is not checked and N must not
            be 0.

    Returns:
        Masks (N, H, W) bool.

    Raises:
        ValueError: The encodings have another size than `size`, or different sizes, or N is 0 and
            `size` is `None`.
        GeometryError: The runs of an encoding do not cover its image.
    """
    if not rles:
        if size is None:
            raise ValueError("size must be (H, W) to decode zero masks, got None")
        return torch.zeros((0, *size), dtype=torch.bool)
    decoded = coco_mask.decode(_same_size(rles, size))  # (H, W, N), column-major
    return torch.from_numpy(decoded.transpose(2, 0, 1).astype(bool))


def decode_masks_resized(
    rles: Sequence[RLE], size: tuple[int, int], new_size: tuple[int, int]
) -> Tensor:
    """Decode run-length encodings at another size, as `resize_masks(decode_masks(...))` but faster.

    Args:
        rles: N encodings of the size `size`.
        size: Expected height and width (H, W) of the encodings.
        new_size: Height and width (H', W') of the result.

    Returns:
        Masks (N, H', W') bool.

    Raises:
        ValueError: The encodings have another size than `size`.
        GeometryError: The runs of an encoding do not cover its image.
    """
    masks = np.zeros((len(rles), *new_size), np.uint8)
    for mask, rle in zip(masks, rles, strict=True):
        counts = check_rle(rle, size)["counts"]
        mask[:] = decode_runs_resized(unpack_runs(counts), size, new_size)
    return torch.from_numpy(masks.view(bool))


# --- annotations -> RLE ---------------------------------------------------------------------------


def segmentation_to_rle(
    segmentation: Segmentation, size: tuple[int, int], *, max_overhang: float = MAX_OVERHANG
) -> RLE:
    """Convert a COCO `segmentation`: polygons, or uncompressed or compressed run lengths.

    Args:
        segmentation: List of polygons, which are parts of one mask, or RLE dict.
        size: Height and width (H, W) of the image.
        max_overhang: Maximum distance in pixels of a point of a polygon from the image.

    Raises:
        GeometryError: A polygon leaves the image, no polygon has 3 points, or run lengths are for
            an image of another size or do not cover it exactly.

    Warns:
        UserWarning: A polygon is dropped, since it has fewer than 3 points or half a point.
    """
    if isinstance(segmentation, Mapping):
        return cast(RLE, check_rle(segmentation, size))
    if isinstance(segmentation, list | tuple) and not segmentation:
        return empty_rle(size)
    polygons, unusable = check_polygons(segmentation, size, max_overhang=max_overhang)
    if unusable:
        warnings.warn(
            f"dropped {len(unusable)} of {len(segmentation)} polygons of a mask, which must have "
            "at least 3 points",
            stacklevel=2,
        )
    rles = coco_mask.frPyObjects([list(polygon) for polygon in polygons], *size)
    return _as_text(rles[0] if len(rles) == 1 else coco_mask.merge(rles))


def empty_rle(size: tuple[int, int]) -> RLE:
    """Return a mask of `size` (H, W) without foreground pixels."""
    return _as_text(coco_mask.encode(np.zeros(size, np.uint8, order="F")))


# --- arithmetic on RLE ----------------------------------------------------------------------------


def merge_rles(rles: Sequence[RLE], size: tuple[int, int], *, intersect: bool = False) -> RLE:
    """Return the union of masks, or their intersection; the empty mask if there are none.

    Args:
        rles: Masks of the size `size`.
        size: Height and width (H, W).
        intersect: Whether to return the intersection instead.

    Raises:
        GeometryError: A mask has another size, or its runs do not cover the image.
    """
    if not rles:
        return empty_rle(size)
    return _as_text(coco_mask.merge(_same_size(rles, size), intersect=intersect))


def rle_areas(rles: Sequence[RLE]) -> np.ndarray:
    """Return the number of pixels of each mask, (N,) int64."""
    if not rles:
        return np.zeros(0, np.int64)
    encoded = [_as_bytes(rle) for rle in rles]
    # pycocotools 2.0.8 keeps the number of masks in 8 bits.
    parts = [coco_mask.area(encoded[i : i + 255]) for i in range(0, len(encoded), 255)]
    return np.concatenate(parts).astype(np.int64)


def rle_boxes_xyxy(rles: Sequence[RLE]) -> Tensor:
    """Return the tight box of each mask, `xyxy` (N, 4) float32; zeros for an empty mask."""
    if not rles:
        return torch.zeros((0, 4))
    boxes = torch.from_numpy(coco_mask.toBbox([_as_bytes(rle) for rle in rles])).float()
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def rle_iou(rles_a: Sequence[RLE], rles_b: Sequence[RLE]) -> np.ndarray:
    """Return the pairwise IoU of N and M masks, (N, M) float64; 0 if both masks are empty."""
    if not rles_a or not rles_b:
        return np.zeros((len(rles_a), len(rles_b)))
    encoded = _same_size([*rles_a, *rles_b])
    crowd = [0] * len(rles_b)
    return np.nan_to_num(coco_mask.iou(encoded[: len(rles_a)], encoded[len(rles_a) :], crowd))


def intersection_and_union(rle_a: RLE, rle_b: RLE) -> tuple[int, int]:
    """Return the number of pixels in the intersection and in the union of two masks, exactly."""
    encoded = _same_size([rle_a, rle_b])
    intersection = int(coco_mask.area(coco_mask.merge(encoded, intersect=True)))
    area_a, area_b = coco_mask.area(encoded)
    return intersection, int(area_a) + int(area_b) - intersection


# --- dense masks ----------------------------------------------------------------------------------


def resize_masks(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize binary masks with nearest neighbor interpolation, in the convention of OpenCV (mmdet).

    Args:
        masks: Masks (N, H, W) bool.
        size: Height and width (H', W') of the result.

    Returns:
        Masks (N, H', W') bool.
    """
    if masks.shape[-2:] == size or masks.shape[0] == 0:
        return masks.new_zeros((0, *size)) if masks.shape[0] == 0 else masks
    planes = masks.to(torch.uint8).cpu().numpy()
    resized = [cv2.resize(p, size[::-1], interpolation=cv2.INTER_NEAREST) for p in planes]
    return torch.from_numpy(np.stack(resized)).to(masks.device, torch.bool)


def resize_mask_logits(
    mask_logits: Tensor, size: tuple[int, int], *, align_corners: bool
) -> Tensor:
    """Resize mask logits bilinearly.

    Args:
        mask_logits: Mask logits (B, Q, h, w).
        size: Height and width (H, W) of the result.
        align_corners: Whether the corner pixels of input and output coincide, as in
            `torch.nn.functional.interpolate`.

    Returns:
        Mask logits (B, Q, H, W).
    """
    if mask_logits.shape[-2:] == size:
        return mask_logits
    if mask_logits.shape[1] == 0:  # `interpolate` does not accept zero channels
        return mask_logits.new_zeros(*mask_logits.shape[:2], *size)
    return F.interpolate(mask_logits, size=size, mode="bilinear", align_corners=align_corners)


def masks_to_boxes_xyxy(masks: Tensor) -> Tensor:
    """Return the tight box of each dense mask, `xyxy` (N, 4) float32; zeros for an empty mask.

    The right and bottom edges are exclusive (x2 = last column + 1), as in COCO.

    Args:
        masks: Masks (N, H, W) bool.
    """
    columns, rows = masks.any(1), masks.any(2)  # (N, W), (N, H)
    # `argmax` of 0/1 values returns the first 1.
    first = torch.stack([columns.int().argmax(1), rows.int().argmax(1)], 1)
    last = torch.stack(
        [
            columns.shape[1] - columns.flip(1).int().argmax(1),
            rows.shape[1] - rows.flip(1).int().argmax(1),
        ],
        1,
    )
    boxes = torch.cat([first, last], 1).float()
    return boxes * columns.any(1, keepdim=True)


def _same_size(rles: Sequence[RLE], size: tuple[int, int] | None = None) -> list[dict[str, Any]]:
    """Return encodings for pycocotools, which must all have `size` (H, W), or equal sizes."""
    encoded = [_as_bytes(rle) for rle in rles]
    expected = encoded[0]["size"] if size is None else size
    for rle in encoded:
        check_rle_size(rle, expected)
    return encoded


def _as_bytes(rle: RLE | Mapping[str, Any]) -> dict[str, Any]:
    """Return an encoding for pycocotools, with `counts` as bytes.

    Raises:
        GeometryError: The runs do not cover the image.
    """
    checked = check_rle(rle)
    return {"size": checked["size"], "counts": checked["counts"].encode()}


def _as_text(rle: Mapping[str, Any]) -> RLE:
    """Return an encoding made by pycocotools with `counts` as text, for storage."""
    height, width = map(int, rle["size"])
    counts = rle["counts"].decode()
    VALID_MASKS.add(counts, (height, width))
    return {"size": [height, width], "counts": counts}
