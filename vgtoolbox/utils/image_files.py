"""Read the size of an image from the header of its file, as it is after decoding."""

from __future__ import annotations

import os
import unicodedata
import warnings
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image

IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
"""Formats that Pillow may open, all of photographs; MPO is opened as JPEG. Others would run
external programs (EPS calls Ghostscript) or rarely tested decoders on untrusted files."""


class ImageHeaderError(ValueError):
    """Error for an image file that is missing, broken or not an image; it names the file."""


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the (H, W) of an image after EXIF rotation, from the header of its file.

    Raises:
        ImageHeaderError: The file is missing, broken or not an image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images and broken tags: nothing is decoded
            with Image.open(path, formats=IMAGE_FORMATS) as image:
                width, height = _stored_size(image)
                is_turned = _orientation(image) in range(5, 9)
    except Exception as error:  # headers of broken files raise errors of many types
        raise ImageHeaderError(f"image {path} cannot be read: {error}") from None
    return (width, height) if is_turned else (height, width)


def similar_file(path: str | os.PathLike[str]) -> str | None:
    """Return the name of a file in the same folder that differs in case or Unicode form only.

    Windows and macOS ignore case, and macOS writes accents as separate characters.

    Args:
        path: Path of a file that does not exist.
    """
    wanted = _plain_name(Path(path).name)
    try:
        names = sorted(file.name for file in Path(path).parent.iterdir())
    except (OSError, ValueError):
        return None
    return next((name for name in names if _plain_name(name) == wanted), None)


def _plain_name(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Return the size (W, H) before rotation; Pillow rotates the size of a TIFF, only."""
    tags: Any = getattr(image, "tag_v2", None)
    if image.format == "TIFF" and tags is not None:
        return int(tags[ExifTags.Base.ImageWidth]), int(tags[ExifTags.Base.ImageLength])
    return image.size


def _orientation(image: Image.Image) -> Any:
    """Return the EXIF orientation, which decoders apply; an orientation in XMP is not applied."""
    if image.format == "TIFF":
        return getattr(image, "tag_v2", {}).get(ExifTags.Base.Orientation)
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        return exif.get(ExifTags.Base.Orientation)
    except Exception:  # broken EXIF data, which decoders ignore
        return None
