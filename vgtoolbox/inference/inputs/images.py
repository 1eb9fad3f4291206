"""From an image in any form that people hold it in to pixels, within bounds of memory."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from vgtoolbox.datasets import LoadImage
from vgtoolbox.inference.inputs.sources import ImageLike, fetch, is_url
from vgtoolbox.visualization.drawing import RGBImage, check_rgb_image

# As many as 16384 x 8192, 400 MB of pixels.
MAX_PIXELS = 2**27
# A model reads far fewer pixels than these; its masks, one for each query, are as large as what it
# is given. Beyond, the picture is made smaller first, and the result larger again.
WORKING_PIXELS = 2**24
# OpenCV reads no Adobe CMYK right, and only some of its builds read GIF.
_READ_BY_PILLOW = frozenset({"GIF"})
_PILLOW_MODES = frozenset({"CMYK"})
_KNOWN_TEXTS = {b"<svg": "SVG, a drawing without pixels", b"<?xml": "XML", b"%pdf": "PDF"}


def read_image(image: ImageLike, *, max_pixels: int = MAX_PIXELS) -> RGBImage:
    """Return an image as a uint8 RGB array (H, W, 3), upright.

    Of an animation it is the first picture; transparency is dropped, 16 bits become 8.

    Args:
        image: A path, an http(s) address, a PIL image, a uint8 RGB array (H, W, 3), or a tensor
            (3, H, W) that is uint8 or, in 0..1, floating.
        max_pixels: A larger image is refused, from its header where it has one.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is truncated, no image or too large, or the array is something else.
    """
    if isinstance(image, Tensor):
        image = _from_tensor(image)
    if isinstance(image, np.ndarray):
        check_rgb_image(image)
        _check_size((image.shape[1], image.shape[0]), "the array", max_pixels)
        # A copy, since torch takes neither a mirrored view (`image[..., ::-1]`) nor a frozen array.
        return np.array(image, order="C")
    if isinstance(image, Image.Image):
        _check_size(image.size, "the image", max_pixels)
        return _from_pil(image, "the image")
    if is_url(image):
        return _decode(fetch(str(image)), str(image), max_pixels)
    if not isinstance(image, (str, Path)):
        raise TypeError(
            "an image is a path, an address, a PIL image, a tensor (3, H, W) or a uint8 RGB array "
            f"(H, W, 3), got {type(image).__name__}"
        )
    if not Path(image).is_file():
        found = "is a folder" if Path(image).is_dir() else "does not exist"
        raise FileNotFoundError(f"the image {image} {found}; expected an image file")
    return _decode(Path(image), str(image), max_pixels)


class ImageReader:
    """Decode images that may follow themselves: each only once, and one in memory at a time.

    Args:
        max_pixels: See `read_image`.
    """

    def __init__(self, max_pixels: int = MAX_PIXELS) -> None:
        self._max_pixels = max_pixels
        self._last: tuple[ImageLike, RGBImage] | None = None

    def __call__(self, image: ImageLike) -> RGBImage:
        """Return the pixels of an image, as `read_image` does."""
        if self._last is not None and _is_same(self._last[0], image):
            return self._last[1]
        self._last = None  # two large pictures at once would be one too many
        self._last = (image, read_image(image, max_pixels=self._max_pixels))
        return self._last[1]


def downscale_to_limit(picture: RGBImage, limit: int = WORKING_PIXELS) -> RGBImage:
    """Return a picture of no more than `limit` pixels: itself, or a smaller one."""
    height, width = picture.shape[:2]
    if height * width <= limit:
        return picture
    factor = (limit / (height * width)) ** 0.5
    new_width = max(1, int(width * factor))
    new_height = max(1, min(int(height * factor), limit // new_width))
    new_width = min(new_width, limit // new_height)  # a side of 1 leaves less to the other
    size = (new_width, new_height)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def image_name(image: ImageLike, position: int) -> str:
    """Return the path or address of an image, or a made-up name where it has none."""
    if isinstance(image, (str, Path)):
        return str(image)
    return str(getattr(image, "filename", "") or f"image-{position}")


def _is_same(one: ImageLike, other: ImageLike) -> bool:
    if isinstance(one, (str, Path)) and isinstance(other, (str, Path)):
        return str(one) == str(other)
    return one is other


def _decode(source: Path | bytes, name: str, max_pixels: int) -> RGBImage:
    """Decode a file, from its path or its bytes, after a look at its header."""
    what = f"the image {name}"
    with _open(source, name) as image:
        _check_size(image.size, what, max_pixels)
        in_memory = isinstance(source, bytes)
        if in_memory or image.format in _READ_BY_PILLOW or image.mode in _PILLOW_MODES:
            return _from_pil(image, what)
    loaded = LoadImage()({"img_path": str(source)})["image"]  # (3, H, W)
    return loaded.permute(1, 2, 0).contiguous().numpy()


def _open(source: Path | bytes, name: str) -> Image.Image:
    """Read the header of a file."""
    try:
        return Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
    except Image.DecompressionBombError as error:
        raise ValueError(f"the image {name} is too large: {error}") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is no image: {_looks_like(source)}") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"the image {name} is truncated or broken: {error}") from error


def _looks_like(source: Path | bytes) -> str:
    """Say what a file is that is no image."""
    head = source[:512] if isinstance(source, bytes) else _head(source)
    if not head:
        return "it is empty"
    for signature, name in _KNOWN_TEXTS.items():
        if signature in head.lower():
            return f"it looks like {name}; save it as PNG or JPEG"
    if b"\0" not in head and head.isascii():
        return "it holds text, whatever its name says"
    return "it is broken, or of a format that Pillow does not know; save it as PNG or JPEG"


def _head(path: Path) -> bytes:
    with Path(path).open("rb") as file:
        return file.read(512)


def _check_size(size: tuple[int, int], what: str, max_pixels: int) -> None:
    """Raise where an image of `size` (W, H) has more pixels than it may."""
    if size[0] * size[1] > max_pixels:
        raise ValueError(
            f"{what} has {size[0]} x {size[1]} pixels, {size[0] * size[1] / 1e6:.0f} million; "
            f"at most {max_pixels / 1e6:.0f} million are read. Make it smaller first"
        )


def _from_pil(image: Image.Image, what: str) -> RGBImage:
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):
            # Pillow clips 16 bits at 255, which leaves a white picture.
            wide = np.asarray(upright).astype(np.int64)
            upright = Image.fromarray((np.clip(wide, 0, 65535) >> 8).astype(np.uint8))
        pixels = np.array(upright.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise ValueError(f"{what} is truncated or broken: {error}") from error
    check_rgb_image(pixels)
    return pixels


def _from_tensor(image: Tensor) -> RGBImage:
    """Turn (3, H, W), uint8 or in 0..1, into an array (H, W, 3)."""
    floating = image.is_floating_point()
    in_range = not floating or (image.numel() > 0 and image.min() >= 0 and image.max() <= 1)
    if image.ndim != 3 or image.shape[0] != 3 or not (floating or image.dtype == torch.uint8):
        raise ValueError(
            "an image as a tensor is (3, H, W), uint8 or floating in 0..1, got "
            f"{image.dtype} of shape {tuple(image.shape)}"
        )
    if not in_range:
        raise ValueError(
            "an image as a floating tensor has values in 0..1, got others: a normalised tensor has "
            "to be turned back, and 0..255 to be uint8"
        )
    pixels = (image.detach() * 255).round().to(torch.uint8) if floating else image.detach()
    return pixels.permute(1, 2, 0).contiguous().cpu().numpy()
