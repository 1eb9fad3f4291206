"""Transforms that move pixels: image, boxes and masks together, and words if needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np
import torch
from torch.nn import functional as F
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as tvf

from vgtoolbox.datasets.transforms.image_cache import ImageCache
from vgtoolbox.datasets.transforms.resampling import (
    NEAREST_AS_OPENCV,
    Interpolation,
    ResizeBackend,
    Rounding,
    check_resampling,
    resize_image,
    resize_target_masks,
    scaled_size,
)
from vgtoolbox.datasets.transforms.sample import (
    Results,
    SampleError,
    Variant,
    check_variant,
    decode_targets,
    describe_sample,
    image_size,
    plain_boxes,
    record_scaling,
    set_boxes,
)
from vgtoolbox.datasets.transforms.side_words import (
    check_extra_words,
    has_unknown_words,
    swap_left_and_right,
)
from vgtoolbox.datasets.transforms.text import swap_side_letters
from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.structures import RLE, decode_masks_resized
from vgtoolbox.utils.choices import check_choice, check_fraction

UnknownWords = Literal["skip", "mirror"]


@TRANSFORMS.register_module()
class Resize:
    """Resize image, boxes and masks to the size of the network input.

    Args:
        size: (H, W), or one number for both.
        backend: "cv2" resizes without antialiasing, as the BEiT-3 systems do; "torchvision" and
            "pil" with antialiasing; "align_corners" as PLVL's last step, which makes the image
            float32. Masks are described in `resampling`.
        interpolation: Interpolation of the image, "bilinear" or "bicubic".
        keep_ratio: Whether to fit the image into `size` and pad it at the bottom and right, instead
            of stretching it.
        pad_value: Gray level of the padding, 0..255.
        cache_mb: Size in megabytes of a cache, in each worker process, of the most recently resized
            images, and of masks that were run lengths. Images that a transform after `LoadImage`
            has changed are not cached.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        backend: ResizeBackend = "cv2",
        interpolation: Interpolation = "bilinear",
        keep_ratio: bool = False,
        pad_value: int = 0,
        cache_mb: float = 0,
    ) -> None:
        check_resampling(backend, interpolation)
        if cache_mb < 0:
            raise ValueError(f"cache_mb must be 0 or more, got {cache_mb}")
        self._cache = ImageCache(int(cache_mb * 1e6))
        self.size = _pair(size)
        self.backend = backend
        self.interpolation = interpolation
        self.keep_ratio = keep_ratio
        self.pad_value = pad_value

    def __call__(self, results: Results) -> Results:
        """Resize, and set `scale_factor` and `img_shape`, which lead back to the original frame.

        `scale_factor` (x, y): input coordinate = original coordinate * factor; `img_shape` (H, W):
        size of the image in the input, without padding.
        """
        content = self._content_size(*image_size(results))
        resize_sample(
            results,
            content,
            backend=self.backend,
            interpolation=self.interpolation,
            cache=self._cache,
        )
        pad_sample(results, self.size, self.pad_value)
        return results

    def _content_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the (H, W) of the image in the input, without padding."""
        if not self.keep_ratio:
            return self.size
        scale = min(self.size[0] / height, self.size[1] / width)
        return max(1, round(height * scale)), max(1, round(width * scale))


@TRANSFORMS.register_module()
class ResizeSide:
    """Resize the long or the short side; the other side follows.

    Args:
        size: Length of that side in pixels. If several are given, one is drawn per sample.
        side: Side to resize, "long" or "short".
        backend: Library that resizes the image; see `Resize`.
        interpolation: Interpolation of the image, "bilinear" or "bicubic".
        rounding: Rounding of the other side; see `resampling.scaled_size`.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        *,
        side: Literal["long", "short"] = "long",
        backend: ResizeBackend = "pil",
        interpolation: Interpolation = "bilinear",
        rounding: Rounding = "even",
    ) -> None:
        check_resampling(backend, interpolation, rounding)
        check_choice("side", side, ("long", "short"))
        self.sizes = (size,) if isinstance(size, int) else tuple(size)
        if not self.sizes or min(self.sizes) < 1:
            raise ValueError(f"size must be positive, got {size}")
        self.side = side
        self.backend = backend
        self.interpolation = interpolation
        self.rounding = rounding

    def __call__(self, results: Results) -> Results:
        """Resize, and set `scale_factor` and `img_shape` as `Resize` does."""
        goal = self.sizes[0]
        if len(self.sizes) > 1:
            goal = self.sizes[int(results["rng"].integers(len(self.sizes)))]
        content = scaled_size(image_size(results), goal, side=self.side, rounding=self.rounding)
        resize_sample(results, content, backend=self.backend, interpolation=self.interpolation)
        return results


@TRANSFORMS.register_module()
class Pad:
    """Pad the image and its masks at the bottom and right, so that coordinates do not change.

    Args:
        size: (H, W) of the result, or one number for both.
        value: Gray level of the padding, 0..255.
    """

    def __init__(self, size: int | Sequence[int], *, value: int = 0) -> None:
        self.size = _pair(size)
        self.value = value

    def __call__(self, results: Results) -> Results:
        """Pad.

        Raises:
            SampleError: The image is larger than `size`.
        """
        height, width = image_size(results)
        if height > self.size[0] or width > self.size[1]:
            raise SampleError(
                f"{describe_sample(results)}: the image must be at most {self.size[0]} x "
                f"{self.size[1]} (height x width) to be padded to that size, got {height} x "
                f"{width}; put a ResizeSide before this Pad"
            )
        results.setdefault("img_shape", (height, width))
        pad_sample(results, self.size, self.value)
        return results


@TRANSFORMS.register_module()
class RandomHorizontalFlip:
    """Mirror image, boxes and masks, and swap left and right in the expression or expressions.

    An expression in another language would get a wrong label, because its words for left and right
    are unknown. Its sample is therefore not mirrored; see `side_words.has_unknown_words`.

    Args:
        prob: Probability of mirroring a sample; 0 turns mirroring off.
        word_swap: "corrected" swaps whole words ("left", "right-hand"); "published" swaps the
            letters anywhere, so that "bright" becomes "bleft" (TransVG, EEVG, PLVL).
        unknown_words: "skip" leaves a sample as it is if an expression may name a side by unknown
            words; "mirror" mirrors it and keeps these words. "published" always mirrors.
        extra_words: Further pairs of words to swap, such as `{"links": "rechts", "左": "右"}`. If
            `None`, only English words are known.
    """

    def __init__(
        self,
        prob: float = 0.5,
        *,
        word_swap: Variant = "corrected",
        unknown_words: UnknownWords = "skip",
        extra_words: Mapping[str, str] | None = None,
    ) -> None:
        check_fraction("prob", prob)
        check_variant("word_swap", word_swap)
        check_choice("unknown_words", unknown_words, get_args(UnknownWords))
        check_extra_words(extra_words or {})
        self.prob = prob
        self.word_swap = word_swap
        self.unknown_words = unknown_words
        self.extra_words = extra_words

    def __call__(self, results: Results) -> Results:
        """Mirror the sample and toggle its `flip`, or return it unchanged.

        Raises:
            ValueError: The sample has conversations already.
        """
        if "conversations" in results:
            raise ValueError(
                f"{describe_sample(results)}: RandomHorizontalFlip must come before the "
                "transform that writes conversations, whose words it does not swap"
            )
        if results["rng"].random() >= self.prob or self._is_skipped(results):
            return results
        decode_targets(results)
        for key in ("image", "boxes", "masks"):
            if key in results:
                results[key] = tvf.horizontal_flip(results[key])
        if "expression" in results:
            results["expression"] = self._swap(results["expression"])
        if "sampled_expressions" in results:
            results["sampled_expressions"] = [
                (self._swap(text), targets) for text, targets in results["sampled_expressions"]
            ]
        elif "expression" not in results and "expressions" in results:  # one is chosen later
            results["expressions"] = [self._swap(text) for text in results["expressions"]]
        results["flip"] = not results.get("flip", False)
        return results

    def _swap(self, text: str) -> str:
        if self.word_swap == "published":
            return swap_side_letters(text)
        return swap_left_and_right(text, self.extra_words)

    def _is_skipped(self, results: Results) -> bool:
        """Return whether an expression may name a side by words that cannot be swapped."""
        if self.word_swap == "published" or self.unknown_words == "mirror":
            return False
        if "expression" in results:
            texts = [results["expression"]]
        elif "sampled_expressions" in results:
            texts = [text for text, _ in results["sampled_expressions"]]
        else:
            texts = results.get("expressions", [])
        return any(has_unknown_words(text, self.extra_words) for text in texts)


def resize_sample(
    results: Results,
    size: tuple[int, int],
    *,
    backend: ResizeBackend,
    interpolation: Interpolation = "bilinear",
    cache: ImageCache | None = None,
) -> None:
    """Resize image, boxes and masks to `size` (H, W), and record the scaling.

    Args:
        results: Sample, changed in place.
        size: New size (H, W). With a `cache`, it must be the same at each call for an image.
        backend: Library that resizes the image; see `Resize`.
        interpolation: Interpolation of the image, "bilinear" or "bicubic".
        cache: Cache of resized images and masks for other samples of the same file. If `None`,
            nothing is cached.
    """
    height, width = image_size(results)
    factor = (size[1] / width, size[0] / height)
    if "rles" in results and backend in NEAREST_AS_OPENCV:
        masks = _decode_resized(results.pop("rles"), (height, width), size, cache)
        results["masks"] = tv_tensors.Mask(masks)
    decode_targets(results)
    image = results["image"].as_subclass(torch.Tensor)

    def resized() -> np.ndarray:
        new = resize_image(image, size, backend=backend, interpolation=interpolation)
        return new.contiguous().numpy()  # contiguous planes, once for all samples of the image

    if cache is not None and _is_as_decoded(results):
        pixels = cache.get(str(results["img_path"]), resized)
    else:
        pixels = resized()
    results["image"] = tv_tensors.Image(torch.from_numpy(pixels))
    if "boxes" in results:
        set_boxes(results, plain_boxes(results) * torch.tensor(factor * 2), size)
    if "masks" in results and results["masks"].shape[-2:] != size:
        results["masks"] = tv_tensors.Mask(resize_target_masks(results["masks"], size, backend))
    record_scaling(results, factor)
    results["img_shape"] = size


def _decode_resized(
    rles: Sequence[RLE], size: tuple[int, int], new_size: tuple[int, int], cache: ImageCache | None
) -> torch.Tensor:
    """Decode masks of `size` at `new_size`, (N, *new_size) bool, or take them from `cache`."""
    if cache is None or not rles:
        return decode_masks_resized(rles, size, new_size)

    def decoded(rle: RLE) -> np.ndarray:
        return decode_masks_resized([rle], size, new_size)[0].byte().numpy()

    names = [f"{size} {rle['size']} {rle['counts']}" for rle in rles]
    planes = [cache.get(name, partial(decoded, rle)) for name, rle in zip(names, rles, strict=True)]
    return torch.from_numpy(np.stack(planes)).view(torch.bool)


def _is_as_decoded(results: Results) -> bool:
    """Return whether the image is still the memory that `LoadImage` decoded into."""
    decoded = results.get("decoded")
    return decoded is not None and results["image"].data_ptr() == decoded.ctypes.data


def pad_sample(results: Results, size: tuple[int, int], value: int) -> None:
    """Pad image and masks at the bottom and right to `size` (H, W)."""
    height, width = image_size(results)
    if (height, width) == size:
        return
    decode_targets(results)
    margins = (0, size[1] - width, 0, size[0] - height)
    image = results["image"].as_subclass(torch.Tensor)
    results["image"] = tv_tensors.Image(F.pad(image, margins, value=value))
    if "boxes" in results:
        set_boxes(results, plain_boxes(results), size)
    if "masks" in results:
        masks = results["masks"].as_subclass(torch.Tensor)
        results["masks"] = tv_tensors.Mask(F.pad(masks, margins))


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    """Return a size as (H, W)."""
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise ValueError(f"size must be positive, got {size}")
    return height, width
