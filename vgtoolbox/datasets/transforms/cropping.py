"""Transforms that cut the image down, and keep in view what the expression names."""

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
    note_cropping,
    plain_boxes,
    set_boxes,
)
from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.structures import clip_boxes


@TRANSFORMS.register_module()
class RandomTargetCrop:
    """Cut out a random window that shows all targets, or leave the image as it is.

    Args:
        size: Least and most pixels of the window's sides, drawn for each side on its own; an image
            that is smaller than the least keeps that side.
        acceptance: "clean" draws the window among those that hold every target's whole box, and
            enlarges one that is too small for them; where they do not fit into the largest one, the
            image is not cut. "published" (TransVG, EEVG, PLVL) draws windows until one's top lies
            above the target's centre *x* and its left before the centre *y*: with the axes swapped
            and without an upper bound, so that targets are cut or lost.
        max_tries: How often "published" draws before it leaves the image as it is.
    """

    def __init__(
        self,
        size: Sequence[int] = (384, 600),
        *,
        acceptance: Variant = "clean",
        max_tries: int = 20,
    ) -> None:
        check_variant("acceptance", acceptance)
        self.least, self.most = size
        if not 1 <= self.least <= self.most:
            raise ValueError(f"size must be least and most pixels, 1 or more, got {size}")
        self.acceptance = acceptance
        self.max_tries = max_tries

    def __call__(self, results: Results) -> Results:
        """Cut, or leave the sample; boxes are clipped to the window."""
        draw = self._draw_clean if self.acceptance == "clean" else self._draw_published
        window = draw(image_size(results), plain_boxes(results), results["rng"])
        if window is not None:
            crop_sample(results, *window)
        return results

    def _draw_clean(
        self, size: tuple[int, int], boxes_xyxy: Tensor, rng: np.random.Generator
    ) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """Return left and top, and (H, W), of a window that holds all boxes; None without one."""
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
        centres = (boxes_xyxy[:, :2] + boxes_xyxy[:, 2:]) / 2
        for _ in range(self.max_tries):
            height, width = (
                int(rng.integers(min(self.least, s), min(s, self.most) + 1)) for s in size
            )
            top = int(rng.integers(size[0] - height + 1))
            left = int(rng.integers(size[1] - width + 1))
            if bool((centres > centres.new_tensor([top, left])).all()):
                return (left, top), (height, width)
        return None


@TRANSFORMS.register_module()
class CenterCrop:
    """Cut out the middle, as CLIP's preprocessing does after its resize of the short side.

    The targets may lie outside: their boxes are clipped, to nothing where they do. For images that
    only a language model looks at; see `AddView`.

    Args:
        size: (H, W), or one number for both; an image that is smaller keeps that side.
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = (size, size) if isinstance(size, int) else tuple(size)

    def __call__(self, results: Results) -> Results:
        """Cut."""
        old = image_size(results)
        height, width = (min(a, b) for a, b in zip(self.size, old, strict=True))
        crop_sample(results, ((old[1] - width) // 2, (old[0] - height) // 2), (height, width))
        return results


@TRANSFORMS.register_module()
class LargeScaleJitter:
    """Scale the image at random within a fixed frame: cut it where larger, pad it where smaller.

    Ghiasi et al., Simple Copy-Paste (CVPR 2021), section 3. The window is drawn among those that
    show all targets whole; where none does, among those that lie within their extent.

    Args:
        size: (H, W) of the result, or one number for both.
        scale: Range of the factor on the size at which the image just fits into the frame.
        backend: See `Resize`.
        pad_value: Grey level of the padding, 0..255.
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
        """Scale, cut and pad."""
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
    """Draw where a window begins, such that it holds `keep` where it can, or lies in it.

    Args:
        rng: Of the sample.
        length: Pixels of the image along this axis.
        window: Pixels of the window, at most `length`.
        keep: First and last edge of what shall stay in view; an empty interval allows anything.
    """
    first, last = keep
    if first >= last:
        low, high = 0, length - window
    else:
        low, high = sorted((last - window, first))
    low, high = (min(max(edge, 0), length - window) for edge in (low, high))
    return int(rng.integers(low, high + 1))


def crop_sample(results: Results, left_top: tuple[int, int], size: tuple[int, int]) -> None:
    """Cut image, boxes and masks to the window at `left_top` (x, y) of `size` (H, W)."""
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
    note_cropping(results, left_top, old[1])


def _extent(boxes_xyxy: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the whole pixels (first, last edge) that boxes (N, 4) span in x, and in y."""
    if len(boxes_xyxy) == 0:
        return (0, 0), (0, 0)
    x1, y1 = boxes_xyxy[:, :2].amin(0).tolist()
    x2, y2 = boxes_xyxy[:, 2:].amax(0).tolist()
    return (math.floor(x1), math.ceil(x2)), (math.floor(y1), math.ceil(y2))
