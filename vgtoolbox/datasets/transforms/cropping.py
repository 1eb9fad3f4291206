"""Transforms that crop the image and keep the targets in view."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchvision import tv_tensors

from vgtoolbox.datasets.transforms.geometry import pad_sample, resize_sample
from vgtoolbox.datasets.transforms.resampling import ResizeBackend, check_resampling
from vgtoolbox.datasets.transforms.sample import (
    Results,
    Variant,
    check_variant,
    decode_targets,
    image_size,
    plain_boxes,
    record_cropping,
    set_boxes,
)
from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.structures import clip_boxes


@TRANSFORMS.register_module()
class RandomTargetCrop:
    """Crop a random window that contains all targets, or leave the image unchanged.

    Args:
        size: Minimum and maximum side of the window in pixels, drawn independently for each side; a
            side of the image that is shorter than the minimum is kept.
        acceptance: "corrected" draws the window among those that contain the whole box of every
            target, and enlarges a window that is too small for them; if the boxes do not fit into
            the largest window, the image is not cropped. "published" (TransVG, EEVG, PLVL) draws
            windows until the top is smaller than the target's center *x* and the left smaller than
            its center *y*: with swapped axes and without an upper bound, so that targets are
            truncated or lost.
        max_tries: Maximum number of windows that "published" draws before it leaves the image
            unchanged.
    """

    def __init__(
        self,
        size: Sequence[int] = (384, 600),
        *,
        acceptance: Variant = "corrected",
        max_tries: int = 20,
    ) -> None:
        check_variant("acceptance", acceptance)
        self.least, self.most = size
        if not 1 <= self.least <= self.most:
            raise ValueError(f"size must be minimum and maximum pixels, 1 or more, got {size}")
        self.acceptance = acceptance
        self.max_tries = max_tries

    def __call__(self, results: Results) -> Results:
        """Crop, or return the sample unchanged; boxes are clipped to the window."""
        draw = self._draw_corrected if self.acceptance == "corrected" else self._draw_published
        window = draw(image_size(results), plain_boxes(results), results["rng"])
        if window is not None:
            crop_sample(results, *window)
        return results

    def _draw_corrected(
        self, size: tuple[int, int], boxes_xyxy: Tensor, rng: np.random.Generator
    ) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Return (left, top) and (H, W) of a window that contains all boxes, or `None`."""
        starts, lengths = [], []
        for length, (first, last) in zip(size, reversed(_extent(boxes_xyxy)), strict=True):
            least, most = max(min(self.least, length), last - first), min(length, self.most)
            if least > most:
                return None
            lengths.append(int(rng.integers(least, most + 1)))
            starts.append(draw_start(rng, length, lengths[-1], (first, last)))
        return (starts[1], starts[0]), (lengths[0], lengths[1])

    def _draw_published(
        self, size: tuple[int, int], boxes_xyxy: Tensor, rng: np.random.Generator
    ) -> tuple[tuple[int, int], tuple[int, int]] | None:
        centers = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
        for _ in range(self.max_tries):
            height, width = (
                int(rng.integers(min(self.least, s), min(s, self.most) + 1)) for s in size
            )
            top = int(rng.integers(size[0] - height + 1))
            left = int(rng.integers(size[1] - width + 1))
            if bool((centers > centers.new_tensor([top, left])).all()):
                return (left, top), (height, width)
        return None


@TRANSFORMS.register_module()
class CenterCrop:
    """Crop the center, as CLIP's preprocessing does after resizing the short side.

    Targets may be outside the crop: their boxes are clipped and may become empty. Use it for images
    that only a language model sees; see `AddView`.

    Args:
        size: (H, W), or one number for both. A shorter side of the image is kept.
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = (size, size) if isinstance(size, int) else tuple(size)

    def __call__(self, results: Results) -> Results:
        """Crop."""
        old = image_size(results)
        height, width = (min(a, b) for a, b in zip(self.size, old, strict=True))
        crop_sample(results, ((old[1] - width) // 2, (old[0] - height) // 2), (height, width))
        return results


@TRANSFORMS.register_module()
class LargeScaleJitter:
    """Scale the image randomly within a fixed frame: crop it if larger, pad it if smaller.

    Ghiasi et al., Simple Copy-Paste (CVPR 2021), section 3. The window is drawn among those that
    contain all targets completely; if there is none, among those within their extent.

    Args:
        size: (H, W) of the result, or one number for both.
        scale: Range of the factor; at 1 the image just fits into the frame.
        backend: Library that resizes the image; see `Resize`.
        pad_value: Gray level of the padding, 0..255.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        scale: Sequence[float] = (0.1, 2.0),
        backend: ResizeBackend = "torchvision",
        pad_value: int = 0,
    ) -> None:
        check_resampling(backend, "bilinear")
        if not 0 < scale[0] <= scale[1]:
            raise ValueError(f"scale must be a range of positive factors, got {scale}")
        self.size = (size, size) if isinstance(size, int) else tuple(size)
        self.scale = scale
        self.backend = backend
        self.pad_value = pad_value

    def __call__(self, results: Results) -> Results:
        """Scale, crop and pad."""
        rng, old = results["rng"], image_size(results)
        fit = min(new / length for new, length in zip(self.size, old, strict=True))
        scale = fit * float(rng.uniform(*self.scale))
        height, width = (max(1, round(length * scale)) for length in old)
        resize_sample(results, (height, width), backend=self.backend)
        window = (min(height, self.size[0]), min(width, self.size[1]))
        columns, rows = _extent(plain_boxes(results))
        left = draw_start(rng, width, window[1], columns)
        top = draw_start(rng, height, window[0], rows)
        crop_sample(results, (left, top), window)
        pad_sample(results, (self.size[0], self.size[1]), self.pad_value)
        return results


def draw_start(rng: np.random.Generator, length: int, window: int, keep: tuple[int, int]) -> int:
    """Draw the start of a window that contains the interval `keep`, or is inside it if shorter.

    Args:
        rng: Generator of the sample.
        length: Size of the image along this axis, in pixels.
        window: Size of the window along this axis in pixels, at most `length`.
        keep: First and last edge of the interval to keep in view. If empty, any start is allowed.
    """
    first, last = keep
    if first >= last:
        low, high = 0, length - window
    else:
        low, high = sorted((last - window, first))
    low, high = (min(max(edge, 0), length - window) for edge in (low, high))
    return int(rng.integers(low, high + 1))


def crop_sample(results: Results, left_top: tuple[int, int], size: tuple[int, int]) -> None:
    """Crop image, boxes and masks to the window at `left_top` (x, y) with `size` (H, W)."""
    old = image_size(results)
    if size == old:
        return
    decode_targets(results)
    (left, top), (height, width) = left_top, size
    rows, columns = slice(top, top + height), slice(left, left + width)
    image = results["image"].as_subclass(torch.Tensor)
    results["image"] = tv_tensors.Image(image[..., rows, columns])
    if "boxes" in results:
        boxes = plain_boxes(results) - torch.tensor([left, top, left, top])
        set_boxes(results, clip_boxes(boxes, size), size)
    if "masks" in results:
        masks = results["masks"].as_subclass(torch.Tensor)
        results["masks"] = tv_tensors.Mask(masks[..., rows, columns])
    results["img_shape"] = size
    record_cropping(results, left_top, old[1])


def _extent(boxes_xyxy: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the extent of boxes (N, 4) in x and in y: first and last edge in whole pixels."""
    if len(boxes_xyxy) == 0:
        return (0, 0), (0, 0)
    x1, y1 = boxes_xyxy[:, :2].amin(0).tolist()
    x2, y2 = boxes_xyxy[:, 2:].amax(0).tolist()
    return (math.floor(x1), math.ceil(x2)), (math.floor(y1), math.ceil(y2))
