"""From files and annotations to an image, boxes and masks in the original frame."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torchvision import tv_tensors

from vgtoolbox.datasets.transforms.image_cache import ImageCache
from vgtoolbox.datasets.transforms.sample import Results, describe_sample, set_boxes
from vgtoolbox.registry import TRANSFORMS
from vgtoolbox.structures import RLE, decode_masks, segmentation_to_rle
from vgtoolbox.structures.masks import Segmentation

Corners = tuple[float, float, float, float]

# Signature of a format -> (what its last block begins with, what ends a whole file). A JPEG may
# hold a whole smaller one as its thumbnail, so the end must follow the last block's beginning.
_FILE_ENDS = {
    b"\xff\xd8\xff": (b"\xff\xda", b"\xff\xd9"),  # JPEG: start of scan, end of image
    b"\x89PNG": (b"IDAT", b"IEND"),
}


@TRANSFORMS.register_module()
class LoadImage:
    """Read `img_path` into `image` (3, H, W) uint8 RGB, and set `ori_shape`.

    Decoded by OpenCV, as the published systems do. EXIF orientation is honoured; grey, palette and
    16-bit images become 8-bit RGB, an alpha channel is dropped. A sample that has an `image`
    already, an (H, W, 3) uint8 RGB array, keeps it.

    Args:
        cache_mb: Keep the images decoded last, up to so many megabytes in each worker process, for
            the other expressions of an image. Of use where these come soon: `ImageWindowSampler`.
    """

    def __init__(self, *, cache_mb: float = 0) -> None:
        if cache_mb < 0:
            raise ValueError(f"cache_mb must be 0 or more, got {cache_mb}")
        self._cache = ImageCache(int(cache_mb * 1e6))

    def __call__(self, results: Results) -> Results:
        """Read the image.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: The file is truncated or no image, or of another size than the record says.
        """
        if "image" in results:
            pixels = results["image"]
        else:
            pixels = self._cache.get(str(results["img_path"]), lambda: _read_rgb(results))
            results["decoded"] = pixels  # by which a later step sees that the image is untouched
        height, width = pixels.shape[:2]
        expected = (results.get("height", height), results.get("width", width))
        if expected != (height, width):
            raise ValueError(
                f"{describe_sample(results)}: the image is {height} x {width} (height x width, "
                f"after EXIF rotation), its annotation is for {expected[0]} x {expected[1]}; are "
                "these the images that the annotations were made on?"
            )
        results["image"] = tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1))
        results["ori_shape"] = (height, width)
        return results


def _read_rgb(results: Results) -> np.ndarray:
    """Decode `img_path` into (H, W, 3) uint8 RGB."""
    path = Path(results["img_path"])
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{describe_sample(results)}: there is no such file; check the dataset's data_root and "
            "image_root"
        ) from None
    if _is_truncated(data):
        raise ValueError(
            f"{describe_sample(results)}: the file is truncated ({len(data)} bytes, the end of the "
            "image is missing); fetch it again"
        )
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if pixels is None:
        raise ValueError(
            f"{describe_sample(results)}: the file ({len(data)} bytes) is broken or of a format "
            "that OpenCV can not decode"
        )
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels)


def _is_truncated(data: bytes) -> bool:
    """Tell whether a file ends early; OpenCV decodes such a JPEG to half an image, silently."""
    if not data:
        return True
    for signature, (last_block, end) in _FILE_ENDS.items():
        if data.startswith(signature):
            return data.rfind(end) <= data.rfind(last_block)
    return False


@TRANSFORMS.register_module()
class LoadTargets:
    """Read the record's `targets` into `boxes` (N, 4) xyxy and `masks` (N, H, W).

    A record without `targets`, a photograph of one's own, stays without ground truth.

    Args:
        keep_original: Keep the targets in the original frame as well, as `boxes_ori` (N, 4) float32
            and `rles_ori`. Metrics need them, training does not.
        max_overhang: Annotated boxes cross the border of the image by rounding; they are clipped
            where they do so by at most so many pixels.
        truncate_boxes: Cut x, y, width and height to whole numbers first, in the original frame
            too, as EEVG and PLVL are trained and measured.
        with_masks: Read the masks too. Without them, a box is all that a target needs.
        dense: Decode the masks here. Without it they stay run lengths, as `rles`, until a transform
            needs pixels: `Resize` then decodes them at the size of the input, to the same result.
    """

    def __init__(
        self,
        *,
        keep_original: bool = True,
        max_overhang: float = 8.0,
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
            ValueError: A box that is none or lies outside the image, a polygon of fewer than three
                points, or run lengths for an image of another size.
        """
        if "targets" not in results:
            return results
        size = results["ori_shape"]
        corners, rles = [], []
        for target in results["targets"]:
            try:
                corners.append(self._clip(target["bbox"], size))
                if self.with_masks:
                    rles.append(_read_mask(target["segmentation"], size))
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(
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

    def _clip(self, box_xywh: Any, size: tuple[int, int]) -> Corners:
        """Turn an annotated box into corners inside the image."""
        if len(box_xywh) != 4 or not all(map(math.isfinite, box_xywh)) or min(box_xywh[2:]) <= 0:
            raise ValueError(
                f"{list(box_xywh)} is no box: expected 4 numbers x, y, width, height, the latter "
                "two positive"
            )
        bottom, right = size
        corners = _corners(box_xywh)
        clipped = _clip_corners(corners, size)
        overhang = max(abs(a - b) for a, b in zip(corners, clipped, strict=True))
        if overhang > self.max_overhang or clipped[0] >= clipped[2] or clipped[1] >= clipped[3]:
            raise ValueError(
                f"the box x, y, width, height = {list(box_xywh)} lies outside the image of width "
                f"{right} and height {bottom}; up to {self.max_overhang:g} px beyond its border "
                "would be clipped"
            )
        return _clip_corners(_corners(map(int, box_xywh)), size) if self.truncate_boxes else clipped


def _read_mask(segmentation: Segmentation | None, size: tuple[int, int]) -> RLE:
    if segmentation is None:
        raise ValueError("it has a box and no mask; to read boxes only, set with_masks=False")
    return segmentation_to_rle(segmentation, size)


def _corners(box_xywh: Iterable[float]) -> Corners:
    x, y, width, height = map(float, box_xywh)
    return x, y, x + width, y + height


def _clip_corners(corners: Corners, size: tuple[int, int]) -> Corners:
    x1, y1, x2, y2 = corners
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(size[1])), min(y2, float(size[0]))
