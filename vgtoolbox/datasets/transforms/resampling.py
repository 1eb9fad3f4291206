"""Resize pixels exactly as the published systems do.

backend        image                                       masks
cv2            OpenCV, no antialiasing                     nearest neighbor, OpenCV's convention
torchvision    with antialiasing                           the same
pil            Pillow, with antialiasing                   bilinear with antialiasing, cut at 1/2
align_corners  torch, corner pixels keep centers, float32  nearest neighbor, torch's convention
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as tvf

from vgtoolbox.structures import resize_masks
from vgtoolbox.utils.choices import check_choice

ResizeBackend = Literal["cv2", "torchvision", "pil", "align_corners"]
Interpolation = Literal["bilinear", "bicubic"]
Rounding = Literal["even", "half_up", "down"]

NEAREST_AS_OPENCV = ("cv2", "torchvision")
"""Backends whose masks are resized by nearest neighbor in OpenCV's convention."""

_CV2 = {"bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
_PIL = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
_TORCHVISION = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}

# Equal in real arithmetic; in floating point the order of operations decides ties.
_SCALED_LENGTH: dict[Rounding, Callable[[int, int, int], int]] = {
    "even": lambda length, goal, reference: round(length * (goal / reference)),
    "half_up": lambda length, goal, reference: int(length * (goal / reference) + 0.5),
    "down": lambda length, goal, reference: int(goal * length / reference),
}


def check_resampling(backend: str, interpolation: str, rounding: str = "even") -> None:
    """Raise ValueError for an unknown option.

    Args:
        backend: Name of a `ResizeBackend`.
        interpolation: Name of an `Interpolation`.
        rounding: Name of a `Rounding`.
    """
    check_choice("backend", backend, get_args(ResizeBackend))
    check_choice("interpolation", interpolation, get_args(Interpolation))
    check_choice("rounding", rounding, get_args(Rounding))


def scaled_size(
    size: tuple[int, int], goal: int, *, side: Literal["long", "short"], rounding: Rounding
) -> tuple[int, int]:
    """Return `size` scaled so that its long or short side is `goal`, with the same aspect ratio.

    Args:
        size: Size of the image (H, W).
        goal: New length of that side in pixels.
        side: Side with the given length, "long" or "short".
        rounding: Rounding of the other side: "even" rounds to nearest and halves to even (Python's
            `round`: PLVL), "half_up" rounds to nearest and halves up (Segment Anything), "down"
            rounds down (torchvision, CLIP).

    Returns:
        The new size (H, W).
    """
    reference = max(size) if side == "long" else min(size)
    height, width = (max(1, _SCALED_LENGTH[rounding](s, goal, reference)) for s in size)
    return height, width


def resize_image(
    image: Tensor, size: tuple[int, int], *, backend: ResizeBackend, interpolation: Interpolation
) -> Tensor:
    """Resize (3, H, W) to (3, *size); uint8 stays uint8, except with "align_corners"."""
    image = image.as_subclass(torch.Tensor)
    if image.shape[-2:] == size and backend != "align_corners":
        return image
    return _RESIZERS[backend](image, size, interpolation)


def resize_target_masks(masks: Tensor, size: tuple[int, int], backend: ResizeBackend) -> Tensor:
    """Resize binary masks (N, H, W) to (N, *size) bool, in the convention of a backend."""
    masks = masks.as_subclass(torch.Tensor)
    if masks.shape[-2:] == size or len(masks) == 0 or backend in NEAREST_AS_OPENCV:
        return resize_masks(masks, size)
    if backend == "align_corners":
        return F.interpolate(masks[None].to(torch.uint8), size=size, mode="nearest")[0].bool()
    planes = [Image.fromarray(plane) for plane in masks.to(torch.uint8).contiguous().numpy()]
    resized = [np.asarray(p.resize(size[::-1], Image.Resampling.BILINEAR)) for p in planes]
    return torch.from_numpy(np.stack(resized)).bool()


def _with_opencv(image: Tensor, size: tuple[int, int], interpolation: Interpolation) -> Tensor:
    pixels = image.permute(1, 2, 0).numpy()
    resized = cv2.resize(pixels, size[::-1], interpolation=_CV2[interpolation])
    return torch.from_numpy(resized).permute(2, 0, 1)


def _with_torchvision(image: Tensor, size: tuple[int, int], interpolation: Interpolation) -> Tensor:
    return tvf.resize_image(image, list(size), _TORCHVISION[interpolation], antialias=True)


def _with_pillow(image: Tensor, size: tuple[int, int], interpolation: Interpolation) -> Tensor:
    resized = tvf.to_pil_image(image).resize(size[::-1], _PIL[interpolation])
    return tvf.pil_to_tensor(resized)


def _with_aligned_corners(
    image: Tensor, size: tuple[int, int], interpolation: Interpolation
) -> Tensor:
    pixels = image[None].float()
    return F.interpolate(pixels, size=size, mode=interpolation, align_corners=True)[0]


_RESIZERS: dict[ResizeBackend, Callable[[Tensor, tuple[int, int], Interpolation], Tensor]] = {
    "cv2": _with_opencv,
    "torchvision": _with_torchvision,
    "pil": _with_pillow,
    "align_corners": _with_aligned_corners,
}
