"""Decode image files to upright RGB arrays, within limits of memory and time."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vgtoolbox.utils.image_files import (
    MAX_PIXELS,
    ImageFileError,
    broken,
    check_pixels,
    exif_orientation,
    open_image,
)

RGBPixels = NDArray[np.uint8]

# Pillow needs up to 14 bytes per pixel, OpenCV 3 to 6: more would exceed 1 GB.
_MAX_PILLOW_PIXELS = 2**26
MAX_FILE_BYTES = 2**30
# Decoded by Pillow: OpenCV misreads Adobe CMYK, returns a PNG that lacks pixels as if it were
# whole, and only some of its builds can read GIF.
_PILLOW_FORMATS = frozenset({"GIF", "AVIF", "DIB", "JPEG2000", "MPO", "PNG", "PPM"})
_PILLOW_MODES = frozenset({"CMYK"})
# Each scan of a progressive JPEG refines all pixels. Encoders write about ten.
_MAX_SCANS = 200
_MAX_REFINED_PIXELS = 2**31

_JPEG_SIGNATURE, _PNG_SIGNATURE = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_BASELINE_FRAMES, _APP2 = (0xC0, 0xC1), 0xE2
# Huffman and quantization tables, restart intervals, application data and comments.
_SEGMENTS_BEFORE_FRAME = frozenset({0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE})
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Turn of the stored pixels to an upright image, by EXIF orientation."""


def read_image_file(path: str | os.PathLike[str], subject: str) -> bytes:
    """Return the content of an image file.

    Args:
        path: Path of the file.
        subject: Name of the file, for errors.

    Raises:
        FileNotFoundError: The file does not exist.
        ImageFileError: It is not a regular file (a folder, a pipe or a device, which may never
            end), or larger than `MAX_FILE_BYTES`.
        OSError: The file cannot be read.
    """
    try:
        status = Path(path).stat()
    except ValueError as error:  # a zero character, or half a character
        raise ImageFileError(f"{subject} must have a possible name, got {error}") from error
    if not stat.S_ISREG(status.st_mode):
        raise ImageFileError(f"{subject} must be a file, got a folder, a pipe or a device")
    if status.st_size > MAX_FILE_BYTES:
        raise ImageFileError(
            f"{subject} must have at most {MAX_FILE_BYTES / 2**20:.0f} MiB, got "
            f"{status.st_size / 2**20:.0f} MiB; downscale it first"
        )
    return Path(path).read_bytes()


def decode_image(data: bytes, subject: str, *, max_pixels: int = MAX_PIXELS) -> RGBPixels:
    """Decode an image file into upright uint8 RGB (H, W, 3).

    OpenCV decodes the usual formats, as in the published systems, and Pillow what OpenCV misreads
    or cannot read. Only formats of photographs are decoded, and only the first frame of an
    animation. EXIF orientation is applied; gray, palette, CMYK and 16-bit images become 8-bit RGB,
    and an alpha channel is dropped.

    Args:
        data: Content of the file.
        subject: Name of the file, for errors.
        max_pixels: Maximum number of pixels. Larger images are refused before they are decoded.

    Raises:
        ImageFileError: The file is truncated, broken, too large or not an image.
    """
    if _is_truncated(data):
        raise ImageFileError(
            f"{subject} is truncated ({len(data)} bytes, the end of the image is missing); "
            "download it again"
        )
    size = _baseline_jpeg_size(data)
    if size is not None:  # nearly all photographs; Pillow takes longer to open a small one
        check_pixels(size, subject, max_pixels)
        pixels = _decode_with_opencv(data)
        if pixels is not None:
            return pixels
    with open_image(data, subject) as image:
        check_pixels(image.size, subject, max_pixels)
        if "progressive" in image.info:
            _check_scans(data, image.size, subject)
        # OpenCV 5 crashes on damaged animations.
        is_animation = image.format == "PNG" and b"acTL" in data
        if image.format in _PILLOW_FORMATS or image.mode in _PILLOW_MODES or is_animation:
            return _decode_with_pillow(image, subject, max_pixels)
        pixels = _decode_with_opencv(data)
        if pixels is None:  # a rare kind of the format, or a broken file
            subject = f"{subject} ({len(data)} bytes)"
            pixels = _decode_with_pillow(image, subject, max_pixels)
    return pixels


def to_rgb(image: Image.Image) -> RGBPixels:
    """Convert a Pillow image to uint8 RGB (H, W, 3); 16 bits become 8."""
    if image.mode.startswith("I"):
        # Pillow would clip 16 bits at 255, and the image would be white.
        wide = np.array(image, np.int32)
        np.clip(wide, 0, 65535, out=wide)
        image = Image.fromarray((wide >> 8).astype(np.uint8))
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _decode_with_opencv(data: bytes) -> RGBPixels | None:
    """Return the pixels, or `None` if OpenCV cannot decode the file."""
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # raised by some decoders, while others return None
        return None
    if pixels is None:
        return None
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels), np.uint8)


def _decode_with_pillow(image: Image.Image, subject: str, max_pixels: int) -> RGBPixels:
    check_pixels(image.size, subject, min(max_pixels, _MAX_PILLOW_PIXELS))
    try:
        # Pillow turns a TIFF itself.
        turn = None if image.format == "TIFF" else _TURNS.get(exif_orientation(image))
        return to_rgb(image if turn is None else image.transpose(turn))
    except Exception as error:  # decoders raise OSError, SyntaxError, RuntimeError and more
        raise broken(subject, error) from error


def _check_scans(data: bytes, size: tuple[int, int], subject: str) -> None:
    """Raise if a progressive JPEG takes minutes to decode, built of many tiny scans."""
    start = max(0, _start_of_scan(data) or 0)
    end = data.find(bytes([0xFF, _END_OF_IMAGE]), start)
    scans = data.count(bytes([0xFF, _START_OF_SCAN]), start, end)
    if scans > _MAX_SCANS or scans * size[0] * size[1] > _MAX_REFINED_PIXELS:
        raise ImageFileError(
            f"{subject} must be an image that can be decoded in seconds, got {scans} scans of "
            f"{size[0]} x {size[1]} pixels; save it as a baseline JPEG"
        )


def _is_truncated(data: bytes) -> bool:
    """Return whether a file ends early; OpenCV decodes such a JPEG to half an image, silently.

    Bytes after the end of the image, such as the video of a motion photo, do not matter.
    """
    if data.startswith(_JPEG_SIGNATURE):
        start = _start_of_scan(data)
        # The compressed data of a scan never contain the bytes of the end marker.
        return start is None or data.rfind(bytes([0xFF, _END_OF_IMAGE])) < start
    return data.startswith(_PNG_SIGNATURE) and _is_truncated_png(data)


def _baseline_jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height of a plain baseline JPEG, or `None` for all other files.

    CMYK and files with several pictures are not plain.
    """
    if not data.startswith(_JPEG_SIGNATURE):
        return None
    position = 2
    while position + 10 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in _BASELINE_FRAMES:
            height, width = struct.unpack_from(">HH", data, position + 5)
            return (width, height) if data[position + 9] in (1, 3) and height else None
        is_multiple = marker == _APP2 and data[position + 4 : position + 8] == b"MPF\0"
        if marker not in _SEGMENTS_BEFORE_FRAME or is_multiple:
            return None
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def _start_of_scan(data: bytes) -> int | None:
    """Return the position of the first scan of a JPEG, or `None` if the file ends before it.

    The segments before it are walked over, since one may contain a thumbnail. The position is -1
    if they are malformed, which the decoder judges.
    """
    position = 2
    while position + 4 <= len(data):
        marker = data[position + 1]
        if data[position] != 0xFF or marker == _END_OF_IMAGE:
            return -1
        if marker == _START_OF_SCAN:
            return position
        if marker == 0xFF:  # fill byte
            position += 1
        else:
            position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def _is_truncated_png(data: bytes) -> bool:
    """Walk over the chunks to the last one."""
    position = len(_PNG_SIGNATURE)
    while position + 12 <= len(data):
        if data[position + 4 : position + 8] == b"IEND":
            return False
        position += 12 + int.from_bytes(data[position : position + 4], "big")
    return True
