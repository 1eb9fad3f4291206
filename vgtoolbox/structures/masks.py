"""Masks in the three forms that the field uses, and the ways between them.

dense    a bool tensor (N, H, W) or (H, W)
RLE      COCO's run lengths: {"size": [H, W], "counts": str}, JSON-able; what is stored and compared
polygon  COCO's [[x1, y1, x2, y2, ...], ...] in pixels; what annotations hold

What run-length arithmetic answers (area, box, union, IoU) is never decoded. Every function takes
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
    """A COCO run-length encoding, compressed; `counts` is text, so that it can stand in JSON."""

    size: list[int]
    counts: str


Segmentation = Sequence[Sequence[float]] | dict[str, Any]
MaskResize = Literal["nearest", "bilinear"]


# --- dense <-> RLE --------------------------------------------------------------------------------


def encode_masks(masks: Tensor) -> list[RLE]:
    """Encode dense masks.

    Args:
        masks: (N, H, W), bool or 0/1.

    Returns:
        N run-length encodings.
    """
    if masks.ndim != 3:
        raise ValueError(f"masks must have shape (N, H, W), got {tuple(masks.shape)}")
    # pycocotools wants (H, W, N) in column-major order: a (N, W, H) block read backwards.
    columns = masks.to(torch.uint8).transpose(1, 2).contiguous().cpu().numpy()
    return [_as_text(rle) for rle in coco_mask.encode(columns.transpose(2, 1, 0))]


def decode_masks(rles: Sequence[RLE], size: tuple[int, int] | None = None) -> Tensor:
    """Decode run lengths into a bool tensor (N, H, W).

    Args:
        rles: N encodings of one size.
        size: (H, W); needed where N may be 0, checked otherwise.

    Raises:
        ValueError: The encodings have another size than `size`, or N is 0 and `size` is None.
    """
    if not rles:
        if size is None:
            raise ValueError("decoding zero masks needs their size (H, W)")
        return torch.zeros((0, *size), dtype=torch.bool)
    if size is not None:
        for rle in rles:
            check_rle_size(rle, size)
    decoded = coco_mask.decode([_as_bytes(rle) for rle in rles])  # (H, W, N), column-major
    return torch.from_numpy(decoded.transpose(2, 0, 1).astype(bool))


def decode_masks_resized(
    rles: Sequence[RLE], size: tuple[int, int], new_size: tuple[int, int]
) -> Tensor:
    """Decode run lengths at another size: `resize_masks(decode_masks(...))`, without the way round.

    Args:
        rles: N encodings of `size` (H, W).
        size: (H, W), checked.
        new_size: (H', W').

    Returns:
        (N, H', W') bool.
    """
    masks = np.zeros((len(rles), *new_size), np.uint8)
    for mask, rle in zip(masks, rles, strict=True):
        check_rle_size(rle, size)
        mask[:] = decode_runs_resized(unpack_runs(rle["counts"]), size, new_size)
    return torch.from_numpy(masks.view(bool))


# --- annotations -> RLE ---------------------------------------------------------------------------


def segmentation_to_rle(segmentation: Segmentation, size: tuple[int, int]) -> RLE:
    """Read one COCO `segmentation`: polygons, uncompressed run lengths or compressed ones.

    Args:
        segmentation: A list of polygons (several are parts of one mask) or an RLE dict.
        size: (H, W) of the image.

    Raises:
        ValueError: A polygon with fewer than 3 points or an odd number of values, or run lengths
            of an image of another size, or that do not add up to its pixels.
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
                f"a polygon needs at least 3 points, x and y in turn (6 numbers or more, even); "
                f"got {len(polygon)} numbers: {list(polygon)[:8]}"
            )
    if not segmentation:
        return empty_rle(size)
    return merge_rles([_as_text(r) for r in coco_mask.frPyObjects(list(segmentation), *size)], size)


def check_rle_size(rle: RLE | dict[str, Any], size: tuple[int, int]) -> None:
    """Raise ValueError where `rle` encodes an image of another size than `size` (H, W)."""
    if list(rle["size"]) != list(size):
        raise ValueError(
            f"the mask's run lengths are for an image of height x width "
            f"{rle['size'][0]} x {rle['size'][1]}, the image is {size[0]} x {size[1]}"
        )


def _check_runs(counts: list[int] | str | bytes, size: tuple[int, int]) -> None:
    """Raise where runs are not those of an image of `size`: pycocotools reads on past their end."""
    runs = np.asarray(counts) if isinstance(counts, list) else unpack_runs(counts)
    if runs.sum() != size[0] * size[1] or runs.min(initial=0) < 0:
        raise ValueError(
            f"the mask's run lengths are broken: {len(runs)} runs of {runs.sum()} pixels in all, "
            f"the image has {size[0]} x {size[1]} = {size[0] * size[1]}"
        )


def empty_rle(size: tuple[int, int]) -> RLE:
    """Return the mask of `size` (H, W) that holds no pixel."""
    return _as_text(coco_mask.encode(np.zeros(size, np.uint8, order="F")))


# --- arithmetic on RLE ----------------------------------------------------------------------------


def merge_rles(rles: Sequence[RLE], size: tuple[int, int], *, intersect: bool = False) -> RLE:
    """Return the union (or intersection) of masks of `size` (H, W); of none: the empty mask."""
    if not rles:
        return empty_rle(size)
    return _as_text(coco_mask.merge([_as_bytes(rle) for rle in rles], intersect=intersect))


def rle_areas(rles: Sequence[RLE]) -> np.ndarray:
    """Return the number of pixels of each mask, (N,) int64."""
    if not rles:
        return np.zeros(0, np.int64)
    return coco_mask.area([_as_bytes(rle) for rle in rles]).astype(np.int64)


def rle_boxes_xyxy(rles: Sequence[RLE]) -> Tensor:
    """Return the tight box of each mask, (N, 4) float32 corners; zeros for an empty mask."""
    if not rles:
        return torch.zeros((0, 4))
    boxes = torch.from_numpy(coco_mask.toBbox([_as_bytes(rle) for rle in rles])).float()
    boxes[:, 2:] += boxes[:, :2]
    return boxes


def rle_iou(rles_a: Sequence[RLE], rles_b: Sequence[RLE]) -> np.ndarray:
    """Return the pairwise mask IoU, (N, M) float64; 0 where both masks are empty."""
    if not rles_a or not rles_b:
        return np.zeros((len(rles_a), len(rles_b)))
    crowd = [0] * len(rles_b)
    encoded_a, encoded_b = ([_as_bytes(r) for r in rles] for rles in (rles_a, rles_b))
    return np.nan_to_num(coco_mask.iou(encoded_a, encoded_b, crowd))


def intersection_and_union(rle_a: RLE, rle_b: RLE) -> tuple[int, int]:
    """Return the exact number of pixels in both masks and in either."""
    encoded = [_as_bytes(rle_a), _as_bytes(rle_b)]
    intersection = int(coco_mask.area(coco_mask.merge(encoded, intersect=True)))
    area_a, area_b = coco_mask.area(encoded)
    return intersection, int(area_a) + int(area_b) - intersection


# --- dense masks ----------------------------------------------------------------------------------


def resize_masks(masks: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize binary masks by nearest neighbour, in OpenCV's (and mmdet's) pixel convention.

    Args:
        masks: (N, H, W) bool.
        size: (H', W').

    Returns:
        (N, H', W') bool.
    """
    if masks.shape[-2:] == size or masks.shape[0] == 0:
        return masks.new_zeros((0, *size)) if masks.shape[0] == 0 else masks
    planes = masks.to(torch.uint8).cpu().numpy()
    resized = [cv2.resize(p, size[::-1], interpolation=cv2.INTER_NEAREST) for p in planes]
    return torch.from_numpy(np.stack(resized)).to(masks.device, torch.bool)


def resize_mask_logits(
    mask_logits: Tensor, size: tuple[int, int], *, align_corners: bool
) -> Tensor:
    """Resize mask logits (B, Q, h, w) bilinearly to (B, Q, *size)."""
    if mask_logits.shape[-2:] == size:
        return mask_logits
    if mask_logits.shape[1] == 0:  # `interpolate` refuses zero channels
        return mask_logits.new_zeros(*mask_logits.shape[:2], *size)
    return F.interpolate(mask_logits, size=size, mode="bilinear", align_corners=align_corners)


def masks_to_boxes_xyxy(masks: Tensor) -> Tensor:
    """Return the tight box of each dense mask, (N, 4) float32; zeros for an empty one.

    The right and lower edges are exclusive (x2 = last column + 1), as COCO's boxes are.

    Args:
        masks: (N, H, W) bool.
    """
    columns, rows = masks.any(1), masks.any(2)  # (N, W), (N, H)
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
    """Return the form that pycocotools computes with."""
    counts = rle["counts"]
    return {"size": rle["size"], "counts": counts.encode() if isinstance(counts, str) else counts}


def _as_text(rle: dict[str, Any]) -> RLE:
    """Return the form that is stored."""
    counts = rle["counts"]
    return {
        "size": [int(side) for side in rle["size"]],
        "counts": counts.decode() if isinstance(counts, bytes) else counts,
    }
