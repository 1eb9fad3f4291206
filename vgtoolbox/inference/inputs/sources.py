"""What people name images by: a file, a folder, a pattern, an address, or the pixels themselves."""

from __future__ import annotations

import glob
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

ImageLike = str | Path | Image.Image | np.ndarray | Tensor

IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
MAX_DOWNLOAD = 64 * 2**20
_TIMEOUT = 30.0
_WILDCARDS = frozenset("*?[")


def is_url(image: object) -> bool:
    """Whether an image is named by an address of the web."""
    return isinstance(image, str) and image.lower().startswith(("http://", "https://"))


def is_one_image(images: ImageLike | Iterable[ImageLike]) -> bool:
    """Whether `images` is one image; a folder and a pattern are many, whatever they hold."""
    if isinstance(images, (str, Path)):
        return not (_is_pattern(images) or (not is_url(images) and Path(images).is_dir()))
    return isinstance(images, (Image.Image, np.ndarray, Tensor))


def list_images(images: ImageLike | Iterable[ImageLike]) -> list[Any]:
    """List the images that are meant, each as `read_image` takes it.

    A folder stands for the image files in it and a pattern for those it matches (`**` enters
    folders), both sorted by name.

    Raises:
        FileNotFoundError: A folder holds no image, or a pattern matches none.
    """
    if is_one_image(images):
        return [images]
    if isinstance(images, (str, Path)):
        found = _of_folder(Path(images)) if Path(images).is_dir() else _of_pattern(str(images))
        return [str(path) for path in found]
    if not isinstance(images, Iterable):
        return [images]  # reading it says what is wrong
    return [image for entry in images for image in list_images(entry)]


def fetch(url: str, *, max_bytes: int = MAX_DOWNLOAD) -> bytes:
    """Download an image's file.

    Raises:
        ValueError: It can not be had, or has more than `max_bytes`.
    """
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT) as answer:  # is_url allows http(s) only
            data = answer.read(max_bytes + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise ValueError(f"the image {url} could not be downloaded: {error}") from error
    if len(data) > max_bytes:
        raise ValueError(
            f"the image {url} has more than {max_bytes / 2**20:.0f} MiB; download it and make it "
            "smaller first"
        )
    return data


def _is_pattern(image: str | Path) -> bool:
    # A file may have brackets in its name.
    return not is_url(image) and bool(_WILDCARDS & set(str(image))) and not Path(image).exists()


def _of_folder(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise FileNotFoundError(
            f"the folder {folder} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))}); images in "
            f"folders below it are named by {folder / '**' / '*.jpg'}"
        )
    return found


def _of_pattern(pattern: str) -> list[Path]:
    # Path.glob takes no pattern that begins at the root.
    matches = glob.glob(pattern, recursive=True)  # noqa: PTH207
    found = sorted(Path(match) for match in matches)
    found = [path for path in found if path.is_file()]
    if not found:
        raise FileNotFoundError(f"no file matches {pattern}")
    return found
