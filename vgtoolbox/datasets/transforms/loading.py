"""Load an image and its boxes and masks in the original frame."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torchvision import tv_tensors

from vgtoolbox.datasets.annotations.annotation_files import AnnotationError
from vgtoolbox.datasets.transforms.image_cache import ImageCache
from vgtoolbox.datasets.transforms.sample import Results, SampleError, describe_sample, set_boxes
from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.structures import RLE, decode_masks, segmentation_to_rle
from vgtoolbox.structures.masks import Segmentation
from vgtoolbox.structures.validation import MAX_OVERHANG
from vgtoolbox.utils.image_decoding import RGBPixels, decode_image, read_image_file
from vgtoolbox.utils.image_files import MAX_PIXELS, ImageFileError, similar_file

Corners = tuple[float, float, float, float]


@TRANSFORMS.register_module()
class LoadImage:
    """Read `img_path` into `image` (3, H, W) uint8 RGB, and set `ori_shape`.

    Images are decoded by OpenCV, as in the published systems, or by Pillow if OpenCV misreads them
    (CMYK) or cannot read them. EXIF orientation is applied; gray, palette and 16-bit images become
    8-bit RGB, and an alpha channel is dropped. A sample that already has an `image`, an (H, W, 3)
    uint8 RGB array, keeps it.

    Args:
        cache_mb: Size in megabytes of a cache of the most recently decoded images, in each worker
            process, for the other expressions of an image. Useful if these follow soon, as with
            `ImageWindowSampler`.
        max_pixels: Maximum number of pixels. Larger images are refused before they are decoded.
    """

    def __init__(self, *, cache_mb: float = 0, max_pixels: int = MAX_PIXELS) -> None:
        if cache_mb < 0:
            raise ValueError(f"cache_mb must be 0 or more, got {cache_mb}")
        if max_pixels < 1:
            raise ValueError(f"max_pixels must be 1 or more, got {max_pixels}")
        self.max_pixels = max_pixels
        self._cache = ImageCache(int(cache_mb * 1e6))

    def __call__(self, results: Results) -> Results:
        """Read the image.

        Raises:
            FileNotFoundError: The file does not exist.
            ImageFileError: The file is truncated, too large or not an image.
            ValueError: The size of the image differs from the record.
        """
        if "image" in results:
            pixels = results["image"]
        else:
            pixels = self._cache.get(str(results["img_path"]), lambda: self._read(results))
            results["decoded"] = pixels  # lets a later step see whether the image is unchanged
        height, width = pixels.shape[:2]
        expected = (results.get("height", height), results.get("width", width))
        if expected != (height, width):
            raise SampleError(
                f"{describe_sample(results)}: the image must be {expected[0]} x {expected[1]} "
                f"(height x width) as annotated, got {height} x {width} after EXIF rotation; check "
                "that the annotations were made for these images"
            )
        results["image"] = tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1))
        results["ori_shape"] = (height, width)
        return results

    def _read(self, results: Results) -> RGBPixels:
        """Decode `img_path` into (H, W, 3) uint8 RGB."""
        subject = f"{describe_sample(results)}: the file"
        try:
            data = read_image_file(results["img_path"], subject)
        except FileNotFoundError:
            similar = similar_file(results["img_path"])
            hint = f"rename {similar!r}, or " if similar else ""
            raise FileNotFoundError(
                f"{subject} does not exist; {hint}check data_root and image_root of the dataset"
            ) from None
        if not data:
            raise ImageFileError(f"{subject} is truncated (0 bytes); download it again")
        return decode_image(data, subject, max_pixels=self.max_pixels)


@TRANSFORMS.register_module()
class LoadTargets:
    """Read the record's `targets` into `boxes` (N, 4) xyxy and `masks` (N, H, W).

    A record without `targets`, such as a user's own image, remains without ground truth.

    Args:
        keep_original: Whether to keep the targets in the original frame as well, as `boxes_ori`
            (N, 4) float32 and `rles_ori`. Metrics need them, training does not.
        max_overhang: Maximum distance in pixels by which an annotated box or polygon may exceed the
            image, as happens by rounding; it is clipped.
        truncate_boxes: Whether to truncate x, y, width and height to integers first, in the
            original frame too, as in training and evaluation of EEVG and PLVL.
        with_masks: Whether to read the masks. If `False`, targets need only a box.
        dense: Whether to decode the masks here. If `False`, they remain run lengths, as `rles`,
            until a transform needs pixels: `Resize` then decodes them at the input size, with the
            same result.
    """

    def __init__(
        self,
        *,
        keep_original: bool = True,
        max_overhang: float = MAX_OVERHANG,
        truncate_boxes: bool = False,
        with_masks: bool = True,
        dense: bool = True,
    ) -> None:
        self.keep_original = keep_original
        self.max_overhang = max_overhang
        self.truncate_boxes = truncate_boxes
        self.with_masks = with_masks
        self.dense = dense

    def __call__(self, results: Results) -> Results:
        """Read the targets.

        Raises:
            AnnotationError: A box is invalid or outside the image, a polygon leaves it by more than
                `max_overhang` or no polygon has three points, run lengths are for an image of
                another size or do not cover it, or there is no mask.
        """
        if "targets" not in results:
            return results
        size = results["ori_shape"]
        corners, rles = [], []
        for target in results["targets"]:
            try:
                corners.append(self._clip(target["bbox"], size))
                if self.with_masks:
                    rles.append(self._read_mask(target["segmentation"], size))
            except (ValueError, TypeError, KeyError, OverflowError) as error:
                raise AnnotationError(
                    f"{describe_sample(results)}, annotation {target.get('ann_id')}: {error}"
                ) from error
        boxes_xyxy = torch.tensor(corners).reshape(-1, 4)
        set_boxes(results, boxes_xyxy, size)
        if self.keep_original:
            results["boxes_ori"] = boxes_xyxy
        if self.with_masks:
            self._store_masks(results, rles)
        return results

    def _store_masks(self, results: Results, rles: list[RLE]) -> None:
        if self.keep_original:
            results["rles_ori"] = rles
        if self.dense:
            results["masks"] = tv_tensors.Mask(decode_masks(rles, results["ori_shape"]))
        else:
            results["rles"] = rles

    def _read_mask(self, segmentation: Segmentation | None, size: tuple[int, int]) -> RLE:
        if segmentation is None or len(segmentation) == 0:
            raise ValueError(
                "a target must have a mask, got only a box; to read boxes alone, set "
                "with_masks=False"
            )
        return segmentation_to_rle(segmentation, size, max_overhang=self.max_overhang)

    def _clip(self, box_xywh: Any, size: tuple[int, int]) -> Corners:
        """Return an annotated box as corners clipped to the image."""
        if len(box_xywh) != 4 or not all(map(math.isfinite, box_xywh)) or min(box_xywh[2:]) <= 0:
            raise ValueError(
                "a box must be 4 numbers x, y, width, height, the latter two positive, got "
                f"{list(box_xywh)}"
            )
        bottom, right = size
        corners = _corners(box_xywh)
        clipped = _clip_corners(corners, size)
        overhang = max(abs(a - b) for a, b in zip(corners, clipped, strict=True))
        if overhang > self.max_overhang or clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
            raise ValueError(
                f"a box must be inside the image of width {right} and height {bottom}, got x, y, "
                f"width, height = {list(box_xywh)}; up to {self.max_overhang:g} px beyond the "
                "border are clipped"
            )
        return _clip_corners(_corners(map(int, box_xywh)), size) if self.truncate_boxes else clipped


def _corners(box_xywh: Iterable[float]) -> Corners:
    x, y, width, height = map(float, box_xywh)
    return x, y, x + width, y + height


def _clip_corners(corners: Corners, size: tuple[int, int]) -> Corners:
    x1, y1, x2, y2 = corners
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(size[1])), min(y2, float(size[0]))
