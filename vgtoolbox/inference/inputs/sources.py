"""Resolve image arguments: files, folders, glob patterns, URLs and in-memory images."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from vgtoolbox.inference.inputs.downloading import download as download
from vgtoolbox.inference.inputs.downloading import is_url

ImageLike = str | Path | Image.Image | np.ndarray | Tensor

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".bmp", ".dib", ".gif", ".tif"}
    | {".tiff", ".webp", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".jpx", ".avif"}
)
"""Suffixes of the formats that are read from folders; see `utils.image_files.IMAGE_FORMATS`."""
_HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
_WILDCARDS = frozenset("*?[")


def is_file(image: str | Path) -> bool:
    """Return whether a path names a file; no file has a name that the system does not allow."""
    return os.path.isfile(image)  # noqa: PTH113


def is_one_image(images: ImageLike | Iterable[ImageLike]) -> bool:
    """Return whether `images` is one image; folders and patterns always count as several."""
    if isinstance(images, (str, Path)):
        return not (_is_pattern(images) or (not is_url(images) and _is_folder(images)))
    return isinstance(images, (Image.Image, np.ndarray, Tensor))


def list_images(images: ImageLike | Iterable[ImageLike]) -> list[Any]:
    """Return a list of images, each in a form that `read_image` accepts.

    A folder is replaced by the image files in it, and a pattern by the files that match it (`**`
    matches subfolders); both are sorted by name.

    Args:
        images: Image, folder, glob pattern, or an iterable of these.

    Raises:
        FileNotFoundError: A folder contains no image, or a pattern matches no file.
    """
    if is_one_image(images):
        return [images]
    if isinstance(images, (str, Path)):
        path = Path(images)
        found = _list_folder(path) if _is_folder(path) else _list_matches(str(images))
        return [str(path) for path in found]
    if not isinstance(images, Iterable):
        return [images]  # `read_image` raises an error that explains what is wrong
    return [image for entry in images for image in list_images(entry)]


def describe_skipped(images: ImageLike | Iterable[ImageLike]) -> str:
    """Describe the files in given folders that `list_images` leaves out.

    Args:
        images: Images as `list_images` takes them.

    Returns:
        A sentence with the number and some names, or an empty text if nothing is left out.
    """
    entries = [images] if isinstance(images, (str, Path)) else images
    folders = (Path(e) for e in _iterate(entries) if isinstance(e, (str, Path)) and not is_url(e))
    skipped = sorted(
        path
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() not in IMAGE_SUFFIXES
    )
    if not skipped:
        return ""
    names = ", ".join(path.name for path in skipped[:5]) + (", ..." if len(skipped) > 5 else "")
    hint = ""
    if any(path.suffix.lower() in _HEIF_SUFFIXES for path in skipped):
        hint = "; convert HEIC files to JPEG or PNG, for example with the package pillow-heif"
    return f"{len(skipped)} other files in the folders were skipped: {names}{hint}"


def _iterate(entries: Any) -> Iterable[Any]:
    return entries if isinstance(entries, (list, tuple)) else ()


def _is_pattern(image: str | Path) -> bool:
    # An existing file may have brackets in its name.
    is_name = is_url(image) or not _WILDCARDS & set(str(image))
    return not is_name and not os.path.exists(image)  # noqa: PTH110


# Unlike those of `pathlib`, the functions of `os.path` accept names that no file can have, such as
# very long ones: no file has them.


def _is_folder(image: str | Path) -> bool:
    return os.path.isdir(image)  # noqa: PTH112


def _list_folder(folder: Path) -> list[Path]:
    found = sorted(p for p in folder.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not found:
        raise FileNotFoundError(
            f"the folder {folder} contains no images ({', '.join(sorted(IMAGE_SUFFIXES))}); use "
            f"the pattern {folder / '**' / '*.jpg'} for images in its subfolders"
        )
    return found


def _list_matches(pattern: str) -> list[Path]:
    # Path.glob does not accept absolute patterns.
    matches = glob.glob(pattern, recursive=True)  # noqa: PTH207
    found = sorted(Path(match) for match in matches)
    found = [path for path in found if is_file(path)]
    if not found:
        raise FileNotFoundError(f"no file matches the pattern {pattern}")
    return found
