"""Decode images of any supported form to RGB arrays, within limits of memory."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from vgtoolbox.inference.inputs.downloading import download, is_url
from vgtoolbox.inference.inputs.sources import ImageLike, is_file
from vgtoolbox.utils.image_decoding import decode_image, read_image_file, to_rgb
from vgtoolbox.utils.image_files import IMAGE_FORMATS as IMAGE_FORMATS
from vgtoolbox.utils.image_files import MAX_PIXELS, broken, check_pixels
from vgtoolbox.visualization.drawing import RGBImage, check_rgb_image

# A model reads far fewer pixels, but its masks, one per query, have the size of the given image.
# Larger images are therefore downscaled first, and their results are scaled back.
WORKING_PIXELS = 2**24


def read_image(image: ImageLike, *, max_pixels: int = MAX_PIXELS) -> RGBImage:
    """Return an image as an upright uint8 RGB array (H, W, 3).

    Only the first frame of an animation is read. Transparency is dropped, and 16 bits become 8.

    Args:
        image: Path, http(s) URL, PIL image, uint8 RGB array (H, W, 3), or tensor (3, H, W) that is
            uint8 or floating point in 0..1.
        max_pixels: Maximum number of pixels. Larger images are rejected, files before they are
            decoded.

    Raises:
        FileNotFoundError: The file does not exist.
        TypeError: The type of `image` is not supported.
        ImageFileError: The file is truncated, too large or not an image.
        ValueError: The download fails, or the array or tensor has another shape, type or range.
    """
    if isinstance(image, Tensor):
        image = _from_tensor(image)
    if isinstance(image, np.ndarray):
        check_rgb_image(image)
        check_pixels((image.shape[1], image.shape[0]), "the array", max_pixels)
        # A copy, since torch takes neither a mirrored view (`image[..., ::-1]`) nor a frozen array.
        return np.array(image, order="C")
    if isinstance(image, Image.Image):
        check_pixels(image.size, "the image", max_pixels)
        return _from_pil(image, "the image")
    if is_url(image):
        return decode_image(download(str(image)), f"the image {image}", max_pixels=max_pixels)
    if not isinstance(image, (str, Path)):
        raise TypeError(
            "an image must be a path, a URL, a PIL image, a tensor (3, H, W) or a uint8 RGB array "
            f"(H, W, 3), got {type(image).__name__}"
        )
    if not is_file(image):
        problem = "is a folder" if os.path.isdir(image) else "does not exist"  # noqa: PTH112
        raise FileNotFoundError(f"the image {image} {problem}; expected an image file")
    subject = f"the image {image}"
    return decode_image(read_image_file(image, subject), subject, max_pixels=max_pixels)


class ImageReader:
    """Decodes images one at a time; consecutive duplicates are decoded once.

    Args:
        max_pixels: Maximum number of pixels, as in `read_image`.
    """

    def __init__(self, max_pixels: int = MAX_PIXELS) -> None:
        self._max_pixels = max_pixels
        self._last: tuple[ImageLike, RGBImage] | None = None

    def __call__(self, image: ImageLike) -> RGBImage:
        """Return the pixels of an image, as `read_image` does."""
        if self._last is not None and _is_same(self._last[0], image):
            return self._last[1]
        self._last = None  # keeps only one large image in memory
        self._last = (image, read_image(image, max_pixels=self._max_pixels))
        return self._last[1]


def downscale_to_limit(image: RGBImage, limit: int = WORKING_PIXELS) -> RGBImage:
    """Return the image itself, or a smaller one if it has more than `limit` pixels."""
    height, width = image.shape[:2]
    if height * width <= limit:
        return image
    factor = (limit / (height * width)) ** 0.5
    new_width = max(1, int(width * factor))
    new_height = max(1, min(int(height * factor), limit // new_width))
    new_width = min(new_width, limit // new_height)  # matters if the height was rounded up to 1
    size = (new_width, new_height)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def image_name(image: ImageLike, position: int) -> str:
    """Return the path or URL of an image, or `image-<position>` if it has neither."""
    if isinstance(image, (str, Path)):
        return str(image)
    return str(getattr(image, "filename", "") or f"image-{position}")


def _is_same(one: ImageLike, other: ImageLike) -> bool:
    if isinstance(one, (str, Path)) and isinstance(other, (str, Path)):
        return str(one) == str(other)
    return one is other


def _from_pil(image: Image.Image, subject: str) -> RGBImage:
    try:
        pixels = to_rgb(ImageOps.exif_transpose(image))
    except Exception as error:  # decoders raise errors of many types
        raise broken(subject, error) from error
    check_rgb_image(pixels)
    return pixels


def _from_tensor(image: Tensor) -> RGBImage:
    """Convert a tensor (3, H, W), uint8 or floating point in 0..1, to an array (H, W, 3)."""
    floating = image.is_floating_point()
    in_range = not floating or (image.numel() > 0 and image.min() >= 0 and image.max() <= 1)
    if image.ndim != 3 or image.shape[0] != 3 or not (floating or image.dtype == torch.uint8):
        raise ValueError(
            "an image tensor must be (3, H, W), uint8 or floating point in 0..1, got "
            f"{image.dtype} of shape {tuple(image.shape)}"
        )
    if not in_range:
        raise ValueError(
            "a floating-point image tensor must have values in 0..1, got others; undo the "
            "normalization, or convert 0..255 to uint8"
        )
    pixels = (image.detach() * 255).round().to(torch.uint8) if floating else image.detach()
    return pixels.permute(1, 2, 0).contiguous().cpu().numpy()
