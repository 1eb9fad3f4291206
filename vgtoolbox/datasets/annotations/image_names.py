"""Turn the name of an image in an annotation into the path of its file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePath
from urllib.parse import unquote

from vgtoolbox.datasets.annotations.annotation_files import FieldError

_COCO_FOLDER = re.compile(r"COCO_((?:train|val|test)\d{4})_")
_FOLDER_FIELD = "{folder}"
_WINDOWS_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_MAX_BYTES = 255
"""Maximum length of a file name on common systems."""
_MAX_TOTAL = 2048
"""Maximum length of the names in a path; Linux allows 4096 bytes with the folders before it."""
_UNUSUAL = re.compile(r"^[/\s]|[/\s]$|\.\.|//|(?:^|/)\./|[\\%:\0]")


def choose_root(
    image_root: str | Mapping[str, str], file_name: str, source: str | None = None
) -> str:
    """Return the folder of an image.

    Args:
        image_root: Folder, or a mapping from source to folder. `{folder}` in it is replaced by
            COCO's folder in the name of the image, as train2014.
        file_name: Name of the image in the annotations.
        source: Key of `image_root` if that is a mapping; ignored otherwise.

    Raises:
        FieldError: The source is not a key of `image_root`, or the folder of COCO cannot be
            derived from the name.
    """
    if isinstance(image_root, str):
        root = image_root
    elif source is not None and source in image_root:
        root = image_root[source]
    else:
        raise FieldError(
            f"the source of image {file_name} must be a key of image_root "
            f"({', '.join(image_root)}), got {source!r}"
        )
    if _FOLDER_FIELD not in root:
        return root
    folder = _COCO_FOLDER.search(file_name)
    if folder is None:
        raise FieldError(
            f"the image name must contain a COCO folder, as COCO_train2014_ does, got {file_name}"
        )
    return root.replace(_FOLDER_FIELD, folder.group(1))


def common_roots(image_root: str | Mapping[str, str]) -> list[str]:
    """Return the folders in which all images are, at any depth; see `choose_root`."""
    roots = [image_root] if isinstance(image_root, str) else list(image_root.values())
    return [root.split(_FOLDER_FIELD)[0] for root in roots]


@lru_cache(maxsize=64)
def _prefix(root: Path) -> str:
    """Return what precedes the name of an image in its path."""
    folder = str(root)
    return "" if folder == "." else folder if folder.endswith("/") else f"{folder}/"


@lru_cache(maxsize=64)
def join_root(data_root: str, root: str) -> Path:
    """Return the folder `root` below `data_root`."""
    return Path(data_root, root)


def image_file(root: Path, name: str) -> str:
    """Return the path of an image below `root`.

    Backslashes of Windows, URL encoding (`my%20photo.jpg`) and spaces around a name are accepted if
    a file exists at the name without them and none at the name as it is.

    Args:
        root: Folder of the images.
        name: Path of the image below `root`, as annotated.

    Raises:
        FieldError: The name is empty, a URL, or leaves the folder.
    """
    is_usual = name and not _UNUSUAL.search(name)
    if not is_usual or not name.isascii() or len(name) > _MAX_BYTES:
        _check_is_path(name)
    if is_usual:  # joined without pathlib, which takes as long as the rest of reading a line
        return f"{_prefix(root)}{name}"
    path = next((p for p in _spellings(root, name) if p.is_file()), root / name)
    # Links are not followed: a link in the folder may lead elsewhere.
    folder, place = (os.path.normpath(p.absolute()) for p in (root, path))
    if os.path.commonpath([folder, place]) != folder:
        raise FieldError(
            f"the image must be below image_root ({folder}), got {name!r:.200}; set image_root to "
            "a folder that contains all images"
        )
    return str(path)


def _check_is_path(name: str) -> None:
    try:
        parts = [os.fsencode(part) for part in PurePath(name).parts]
    except UnicodeEncodeError:  # half of a character
        parts = []
    is_long = max(map(len, parts), default=0) > _MAX_BYTES or sum(map(len, parts)) > _MAX_TOTAL
    if not name.strip() or "\0" in name or not parts or is_long or len(parts) > _MAX_BYTES:
        raise FieldError(f"the image must be the path of a file, got {name!r:.200}")
    if "://" in name or name.startswith("data:"):
        raise FieldError(
            f"the image must be a file below image_root, got the URL {name!r:.200}; download it"
        )
    if _WINDOWS_DRIVE.match(name):
        raise FieldError(
            f"the image must be below image_root, got the absolute path {name!r:.200}; write paths "
            "that are relative to image_root"
        )


def _spellings(root: Path, name: str) -> Iterator[Path]:
    """Yield the name as it is, and without what some tools add to it."""
    yield root / name
    plain = name.replace("\\", "/")
    yield root / plain
    yield root / unquote(plain)
    yield root / unquote(plain).strip()
