"""Masks as dense tensors, run-length encodings and polygons, and conversions between them.

dense    bool tensor (N, H, W) or (H, W)
RLE      COCO's run-length encoding {"size": [H, W], "counts": str}, serializable as JSON; used to
         store and compare masks
polygon  COCO's [[x1, y1, x2, y2, ...], ...] in pixels; used in annotations

Areas, boxes, unions and IoUs are computed from run lengths without decoding. All functions accept
zero masks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypedDict

import cv2
import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor
from torch.nn import functional as F

from vgtoolbox.structures.run_lengths import decode_runs_resized, unpack_runs


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
        ValueError: The encodings have another size than `size`, or N is 0 and `size` is `None`.
    """
    if not rles:
        if size is None:
            raise ValueError("size must be (H, W) to decode zero masks, got None")
        return torch.zeros((0, *size), dtype=torch.bool)
    if size is not None:
        for rle in rles:
            check_rle_size(rle, size)
    decoded = coco_mask.decode([_as_bytes(rle) for rle in rles])  # (H, W, N), column-major
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
    """
    masks = np.zeros((len(rles), *new_size), np.uint8)
    for mask, rle in zip(masks, rles, strict=True):
        check_rle_size(rle, size)
        mask[:] = decode_runs_resized(unpack_runs(rle["counts"]), size, new_size)
    return torch.from_numpy(masks.view(bool))


# --- annotations -> RLE ---------------------------------------------------------------------------


def segmentation_to_rle(segmentation: Segmentation, size: tuple[int, int]) -> RLE:
    """Convert a COCO `segmentation`: polygons, or uncompressed or compressed run lengths.

    Args:
        segmentation: List of polygons, which are parts of one mask, or RLE dict.
        size: Height and width (H, W) of the image.

    Raises:
        ValueError: A polygon has fewer than 3 points or an odd number of coordinates, or run
            lengths are for an image of another size or do not add up to its pixels.
    """
    if isinstance(segmentation, dict):
        check_rle_size(segmentation, size)
        _check_runs(segmentation["counts"], size)
        if isinstance(segmentation["counts"], list):
            return _as_text(coco_mask.frPyObjects(segmentation, *size))
        return _as_text(segmentation)
    for polygon in segmentation:
        if len(polygon) < 6 or len(polygon) % 2:
            raise ValueError(
                f"a polygon must have at least 3 points [x1, y1, x2, y2, ...], got {len(polygon)} "
                f"numbers: {list(polygon)[:8]}"
            )
    if not segmentation:
        return empty_rle(size)
    return merge_rles([_as_text(r) for r in coco_mask.frPyObjects(list(segmentation), *size)], size)


def check_rle_size(rle: RLE | dict[str, Any], size: tuple[int, int]) -> None:
    """Raise ValueError if `rle` encodes a mask of another size than `size` (H, W)."""
    if list(rle["size"]) != list(size):
        raise ValueError(
            f"a mask must have the height x width of its image, {size[0]} x {size[1]}, got "
            f"{rle['size'][0]} x {rle['size'][1]}"
        )


def _check_runs(counts: list[int] | str | bytes, size: tuple[int, int]) -> None:
    """Raise ValueError unless the runs fill an image of `size` (H, W) exactly.

    pycocotools does not check this and reads beyond the end of the runs.
    """
    runs = np.asarray(counts) if isinstance(counts, list) else unpack_runs(counts)
    if runs.sum() != size[0] * size[1] or runs.min(initial=0) < 0:
        raise ValueError(
            f"the run lengths of a mask must be non-negative and add up to the pixels of its "
            f"image, {size[0]} x {size[1]} = {size[0] * size[1]}, got {len(runs)} runs with the "
            f"sum {runs.sum()} and the minimum {runs.min(initial=0)}"
        )


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
    """
    if not rles:
        return empty_rle(size)
    return _as_text(coco_mask.merge([_as_bytes(rle) for rle in rles], intersect=intersect))


def rle_areas(rles: Sequence[RLE]) -> np.ndarray:
    """Return the number of pixels of each mask, (N,) int64."""
    if not rles:
        return np.zeros(0, np.int64)
    return coco_mask.area([_as_bytes(rle) for rle in rles]).astype(np.int64)


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
    crowd = [0] * len(rles_b)
    encoded_a, encoded_b = ([_as_bytes(r) for r in rles] for rles in (rles_a, rles_b))
    return np.nan_to_num(coco_mask.iou(encoded_a, encoded_b, crowd))


def intersection_and_union(rle_a: RLE, rle_b: RLE) -> tuple[int, int]:
    """Return the number of pixels in the intersection and in the union of two masks, exactly."""
    encoded = [_as_bytes(rle_a), _as_bytes(rle_b)]
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


def _as_bytes(rle: RLE | dict[str, Any]) -> dict[str, Any]:
    """Return an encoding with `counts` as bytes, which pycocotools requires."""
    counts = rle["counts"]
    return {"size": rle["size"], "counts": counts.encode() if isinstance(counts, str) else counts}


def _as_text(rle: dict[str, Any]) -> RLE:
    """Return an encoding with `counts` as text, for storage."""
    counts = rle["counts"]
    return {
        "size": [int(side) for side in rle["size"]],
        "counts": counts.decode() if isinstance(counts, bytes) else counts,
    }
