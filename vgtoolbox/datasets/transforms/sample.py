"""What the transforms hand on: a dict that begins as a dataset's record."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torchvision import tv_tensors

from vgtoolbox.structures import decode_masks

Results = dict[str, Any]

# Of a step with a known fault in the published code: as published, or as it was meant.
Variant = Literal["published", "clean"]


def describe_sample(results: Results) -> str:
    """Name a sample and its file, for error messages."""
    parts = []
    if "sample_id" in results:
        parts.append(f"sample {results['sample_id']}")
    if "img_path" in results:
        parts.append(f"image {results['img_path']}")
    return ", ".join(parts) or "a sample without id and path"


def check_variant(name: str, value: str) -> None:
    """Raise ValueError where `value` is neither "published" nor "clean"."""
    if value not in ("published", "clean"):
        raise ValueError(f"{name} must be 'published' or 'clean', got {value!r}")


def check_probability(prob: float) -> None:
    """Raise ValueError where `prob` is none."""
    if not 0.0 <= prob <= 1.0:
        raise ValueError(f"prob must lie in 0..1, got {prob}")


def image_size(results: Results) -> tuple[int, int]:
    """Return the (H, W) that the image has at this point of the pipeline."""
    height, width = results["image"].shape[-2:]
    return height, width


def decode_targets(results: Results) -> None:
    """Turn masks that still are run lengths (`rles`) into pixels (`masks`).

    For transforms that need pixels; see `LoadTargets(dense=False)`.
    """
    if "rles" in results:
        results["masks"] = tv_tensors.Mask(decode_masks(results.pop("rles"), image_size(results)))


def set_boxes(results: Results, boxes_xyxy: torch.Tensor, size: tuple[int, int]) -> None:
    """Replace the boxes (N, 4); they stand in the frame of an image of `size` (H, W)."""
    results["boxes"] = tv_tensors.BoundingBoxes(
        boxes_xyxy, format=tv_tensors.BoundingBoxFormat.XYXY, canvas_size=size
    )


def plain_boxes(results: Results) -> torch.Tensor:
    """Return the boxes (N, 4) xyxy as a plain tensor; none where the sample has no targets."""
    if "boxes" not in results:
        return torch.zeros(0, 4)
    return results["boxes"].as_subclass(torch.Tensor)


def note_scaling(results: Results, factor: tuple[float, float]) -> None:
    """Note that the image was scaled by `factor` (x, y), for the way back to the original frame."""
    for key, neutral in (("scale_factor", 1.0), ("offset", 0.0)):
        if key == "scale_factor" or key in results:
            x, y = results.get(key, (neutral, neutral))
            results[key] = (x * factor[0], y * factor[1])


def note_cropping(results: Results, left_top: tuple[int, int], old_width: int) -> None:
    """Note that the image was cut at `left_top` (x, y), for the way back to the original frame.

    `offset` (x, y) is where the original's corner lies: input = original * scale_factor + offset,
    and that mirrored where `flip` is set. What a mirrored image loses on its right, the unmirrored
    one loses on its left.
    """
    x, y = results.get("offset", (0.0, 0.0))
    left, top = left_top
    if results.get("flip", False):
        left = old_width - left - image_size(results)[1]
    results["offset"] = (x - left, y - top)
