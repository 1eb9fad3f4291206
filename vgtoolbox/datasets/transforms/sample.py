"""Access to the dict that transforms pass on, which starts as a dataset's record."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torchvision import tv_tensors

from vgtoolbox.structures import decode_masks
from vgtoolbox.utils.choices import check_choice

Results = dict[str, Any]

Variant = Literal["published", "corrected"]
"""Behavior of a transform whose published code has a known defect: as published, or as intended."""


class SampleError(ValueError):
    """Error for a sample that a transform cannot process; it names the sample and its image."""


def describe_sample(results: Results) -> str:
    """Describe a sample and its file for error messages."""
    parts = []
    if "sample_id" in results:
        parts.append(f"sample {results['sample_id']}")
    if "img_path" in results:
        parts.append(f"image {results['img_path']}")
    return ", ".join(parts) or "a sample without id and path"


def check_variant(name: str, value: str) -> None:
    """Raise ValueError unless `value` is a `Variant`.

    Args:
        name: Name of the option, for the error.
        value: Value of the option.
    """
    check_choice(name, value, get_args(Variant))


def image_size(results: Results) -> tuple[int, int]:
    """Return the (H, W) of the image at this point of the pipeline."""
    height, width = results["image"].shape[-2:]
    return height, width


def decode_targets(results: Results) -> None:
    """Decode masks that are still run lengths (`rles`) into pixels (`masks`).

    For transforms that need pixels; see `LoadTargets(dense=False)`.
    """
    if "rles" in results:
        results["masks"] = tv_tensors.Mask(decode_masks(results.pop("rles"), image_size(results)))


def set_boxes(results: Results, boxes_xyxy: torch.Tensor, size: tuple[int, int]) -> None:
    """Replace the boxes (N, 4) xyxy, in the frame of an image of `size` (H, W)."""
    results["boxes"] = tv_tensors.BoundingBoxes(
        boxes_xyxy, format=tv_tensors.BoundingBoxFormat.XYXY, canvas_size=size
    )


def plain_boxes(results: Results) -> torch.Tensor:
    """Return the boxes (N, 4) xyxy as a plain tensor; (0, 4) for a sample without targets."""
    if "boxes" not in results:
        return torch.zeros(0, 4)
    return results["boxes"].as_subclass(torch.Tensor)


def record_scaling(results: Results, factor: tuple[float, float]) -> None:
    """Record that the image was scaled by `factor` (x, y), to map back to the original frame."""
    for key, neutral in (("scale_factor", 1.0), ("offset", 0.0)):
        if key == "scale_factor" or key in results:
            x, y = results.get(key, (neutral, neutral))
            results[key] = (x * factor[0], y * factor[1])


def record_cropping(results: Results, left_top: tuple[int, int], old_width: int) -> None:
    """Record that the image was cropped at `left_top` (x, y), to map back to the original frame.

    `offset` (x, y) is the position of the original's upper left corner: input = original *
    scale_factor + offset, mirrored afterwards if `flip` is set. Pixels cropped on the right of a
    mirrored image are on the left of the unmirrored one.

    Args:
        results: Sample, after cropping.
        left_top: Upper left corner (x, y) of the crop.
        old_width: Width of the image before cropping, in pixels.
    """
    x, y = results.get("offset", (0.0, 0.0))
    left, top = left_top
    if results.get("flip", False):
        left = old_width - left - image_size(results)[1]
    results["offset"] = (x - left, y - top)
