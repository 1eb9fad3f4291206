"""Read the headers of image files: format, number of pixels, and size as it is after decoding."""

from __future__ import annotations

import io
import os
import unicodedata
import warnings
from pathlib import Path
from typing import Any

from PIL import ExifTags, Image, UnidentifiedImageError

IMAGE_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM", "JPEG2000", "AVIF")
"""Formats that Pillow may open, all of photographs; MPO is opened as JPEG. Others would run
external programs (EPS calls Ghostscript) or rarely tested decoders on untrusted files."""

MAX_PIXELS = 2**27
"""Maximum number of pixels of an image: 16384 x 8192, 400 MB."""

_SIGNATURES = {
    b"%!ps": "PostScript",
    b"<svg": "SVG, a drawing without pixels",
    b"<?xml": "XML",
    b"%pdf": "PDF",
}
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis")


class ImageFileError(ValueError):
    """Error for a file that is truncated, broken, too large or not an image; it names the file."""


def open_image(source: str | os.PathLike[str] | bytes, subject: str) -> Image.Image:
    """Open an image file and read its header; no pixel is decoded.

    Args:
        source: Path or content of the file.
        subject: Name of the file, for errors.

    Raises:
        ImageFileError: The file is not an image in one of the `IMAGE_FORMATS`, its header is
            broken, or it has more pixels than Pillow allows.
    """
    try:
        Image.init()  # registers the formats; does nothing the second time
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        return Image.open(file, formats=IMAGE_FORMATS)
    except Image.DecompressionBombError as error:
        raise ImageFileError(
            f"{subject} is too large: {error}; downscale it, or replace it if its header is broken"
        ) from error
    except UnidentifiedImageError as error:
        raise ImageFileError(f"{subject} is not an image: {_describe_content(source)}") from error
    except Exception as error:  # headers of broken files raise errors of many types
        raise broken(subject, error) from error


def check_pixels(size: tuple[int, int], subject: str, max_pixels: int) -> None:
    """Raise ImageFileError if an image of `size` (W, H) has more than `max_pixels` pixels."""
    if size[0] * size[1] > max_pixels:
        raise ImageFileError(
            f"{subject} must have at most {max_pixels / 1e6:.0f} million pixels, got {size[0]} x "
            f"{size[1]} pixels, {size[0] * size[1] / 1e6:.0f} million; downscale it first, or "
            "replace it if its header is broken"
        )


def broken(subject: str, error: Exception) -> ImageFileError:
    """Return the one kind of error for whatever a decoder stumbles over."""
    return ImageFileError(f"{subject} is truncated or broken ({type(error).__name__}: {error})")


def image_size(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the (H, W) of an image after EXIF rotation, from the header of its file.

    Raises:
        ImageFileError: The file is missing, broken or not an image.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images and broken tags: nothing is decoded
            with Image.open(path, formats=IMAGE_FORMATS) as image:
                width, height = _stored_size(image)
                is_turned = exif_orientation(image) in range(5, 9)
    except Exception as error:  # headers of broken files raise errors of many types
        raise ImageFileError(f"image {path} cannot be read: {error}") from None
    return (width, height) if is_turned else (height, width)


def exif_orientation(image: Image.Image) -> Any:
    """Return the EXIF orientation, which decoders apply; an orientation in XMP is not applied."""
    if image.format == "TIFF":
        return getattr(image, "tag_v2", {}).get(ExifTags.Base.Orientation)
    exif = Image.Exif()
    try:
        exif.load(image.info.get("exif", b""))
        return exif.get(ExifTags.Base.Orientation)
    except Exception:  # broken EXIF data, which decoders ignore
        return None


def similar_file(path: str | os.PathLike[str]) -> str | None:
    """Return the name of a file in the same folder that differs in case or Unicode form only.

    Windows and macOS ignore case, and macOS writes accents as separate characters.

    Args:
        path: Path of a file that does not exist.
    """
    own = Path(path).name
    wanted = _plain_name(own)
    try:
        names = sorted(file.name for file in Path(path).parent.iterdir())
    except (OSError, ValueError):
        return None
    return next((name for name in names if _plain_name(name) == wanted and name != own), None)


def _plain_name(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _stored_size(image: Image.Image) -> tuple[int, int]:
    """Return the size (W, H) before rotation; Pillow rotates the size of a TIFF, only."""
    tags: Any = getattr(image, "tag_v2", None)
    if image.format == "TIFF" and tags is not None:
        return int(tags[ExifTags.Base.ImageWidth]), int(tags[ExifTags.Base.ImageLength])
    return image.size


def _describe_content(source: str | os.PathLike[str] | bytes) -> str:
    """Describe the content of a file that is not an image."""
    head = source[:512] if isinstance(source, bytes) else _read_head(Path(source))
    if not head:
        return "the file is empty"
    for signature, name in _SIGNATURES.items():
        if signature in head.lower():
            return f"it looks like {name}; save it as PNG or JPEG"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "it looks like HEIC; convert it to JPEG or PNG, for example with pillow-heif"
    if b"\0" not in head and head.isascii():
        return "it contains text, despite its name"
    return "it is broken, or of a format unknown to Pillow; save it as PNG or JPEG"


def _read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(512)
