"""Identify images across datasets: by path, by COCO's number, or by equal bytes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path, PurePath
from typing import NamedTuple

_COCO_NAME = re.compile(r"COCO_(?:train|val|test)20\d\d_\d{12}$")
_COCO_FOLDER = re.compile(r"(?:train|val|test|trainval|unlabeled)20\d\d$")
_TWELVE_DIGITS = re.compile(r"(\d{12})(?:\.[^./]*)?$")


def coco_number(name: str) -> str | None:
    """Return the 12 digits of an image of COCO, or `None` for other images.

    `COCO_train2014_000000581857.jpg` (2014) and `000000581857.jpg` (2017) are one image. Twelve
    digits in a folder that COCO does not have, as `camera1/000000000012.jpg`, are not a number of
    COCO.

    Args:
        name: Path of the image below its root.
    """
    digits = _TWELVE_DIGITS.search(name)
    if digits is None:  # the usual case, decided without pathlib, which is slow
        return None
    path = PurePath(name)
    if path.stem != digits.group(1):
        return digits.group(1) if _COCO_NAME.match(path.stem) else None
    folder = path.parent.name
    return path.stem if not folder or _COCO_FOLDER.match(folder) else None


def image_key(name: str) -> str:
    """Return a key of an image that its copies in other datasets share.

    Args:
        name: Path of the image below its root.

    Returns:
        COCO's 12-digit number, or the path.
    """
    return coco_number(name) or os.path.normpath(name)


class ImageFile(NamedTuple):
    """Image of a dataset.

    Attributes:
        path: Path of the file, which need not exist.
        name: Path below the root of its images.
    """

    path: str
    name: str

    @property
    def key(self) -> str:
        """Key by `image_key`."""
        return image_key(self.name)

    @property
    def is_coco(self) -> bool:
        """Whether name and folders say without doubt that this is an image of COCO."""
        if coco_number(self.name) is None:
            return False
        path = PurePath(self.path)
        return bool(_COCO_NAME.match(path.stem) or _COCO_FOLDER.match(path.parent.name))


class ImageIndex:
    """Images in which copies of other images are searched.

    Two images are one if both are images of COCO with one number, if they have one path, or if
    their bytes are equal. Images at one path below different roots are one unless both files exist
    and differ, as `train/1.jpg` and `val/1.jpg` do below the roots `train` and `val`.

    Args:
        images: Images to search in.
        compare_files: Whether to look at files. If `False`, images with one key are one.
    """

    def __init__(self, images: Iterable[ImageFile] = (), *, compare_files: bool = True) -> None:
        self._compare_files = compare_files
        self._images: list[ImageFile] = []
        self._by_key: dict[str, list[ImageFile]] = {}
        self._has_others = False
        self._digests: dict[str, bytes] = {}
        for image in images:
            self.add(image)

    def __len__(self) -> int:
        return len(self._images)

    def add(self, image: ImageFile) -> None:
        """Add an image."""
        self._images.append(image)
        self._by_key.setdefault(image.key, []).append(image)
        self._has_others = self._has_others or not image.is_coco
        self.__dict__.pop("_by_size", None)

    def find(self, image: ImageFile) -> ImageFile | None:
        """Return an image of the index that is the same as `image`, or `None`."""
        for other in self._by_key.get(image.key, ()):
            if self._is_same(image, other):
                return other
        if self._compare_files and (self._has_others or not image.is_coco):
            for other in self._by_size.get(_size(image.path), ()):
                if self._have_equal_bytes(image.path, other.path):
                    return other
        return None

    def _is_same(self, image: ImageFile, other: ImageFile) -> bool:
        """Return whether two images with one key are one."""
        if not self._compare_files or (image.is_coco and other.is_coco):
            return True
        if _absolute(image.path) == _absolute(other.path):
            return True
        sizes = _size(image.path), _size(other.path)
        return None in sizes or (
            sizes[0] == sizes[1] and self._have_equal_bytes(image.path, other.path)
        )

    @cached_property
    def _by_size(self) -> dict[int | None, list[ImageFile]]:
        """Images by the size of their existing files in bytes."""
        found: dict[int | None, list[ImageFile]] = {}
        for image in self._images:
            size = _size(image.path)
            if size:
                found.setdefault(size, []).append(image)
        return found

    def _have_equal_bytes(self, one: str, other: str) -> bool:
        try:
            return self._digest(one) == self._digest(other)
        except OSError:
            return False

    def _digest(self, path: str) -> bytes:
        if path not in self._digests:
            self._digests[path] = hashlib.blake2b(Path(path).read_bytes()).digest()
        return self._digests[path]


def _absolute(path: str) -> str:
    return os.path.normpath(Path(path).absolute())


def _size(path: str) -> int | None:
    """Return the size of a file in bytes, or `None` if it does not exist."""
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return None
