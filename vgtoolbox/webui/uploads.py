"""Store the uploads of the page under public names, within a limit of the disk."""

from __future__ import annotations

import re
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

PUBLIC_FOLDER = "/files"
"""Folder under which visitors see the files of the page, in place of that of the server."""
_LEAST_BYTES = 2**16  # that an answer counts at least, which bounds their number
_NAME_CHARACTERS = 60  # of at most 4 bytes; file systems allow 255 bytes


@dataclass(frozen=True, kw_only=True)
class UploadLimits:
    """Limits of all uploads together.

    Attributes:
        bytes: Largest number of bytes on the disk, of the uploads and of the answers. The oldest
            uploads of the address with the most bytes are removed first.
        least_bytes: Bytes that an upload counts at least, which bounds the number of files.
        seconds: Age at which files are removed.
    """

    bytes: int = 2**30
    least_bytes: int = 2**18
    seconds: float = 3600


@dataclass(frozen=True)
class _Upload:
    """Stored upload."""

    folder: Path
    address: str
    size: int
    moment: float


class UploadFolder:
    """Folder of the uploads and the other temporary files of a page.

    Files that are there from the start, such as examples, are kept.

    Args:
        root: Existing folder that the page alone uses.
        limits: Limits. If `None`, the defaults are used.
        clock: Function that returns the time in seconds.
    """

    def __init__(
        self,
        root: Path,
        *,
        limits: UploadLimits | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.root = root.resolve()
        self._limits = limits or UploadLimits()
        self._clock = clock
        self._kept = frozenset(self.root.iterdir())
        self._uploads: list[_Upload] = []
        self._lock = threading.Lock()

    def store(self, file: BinaryIO, name: str, address: str) -> str:
        """Store an upload and return its public name.

        Args:
            file: File that is open for reading at its start.
            name: Name that the visitor gave; only its last part is used.
            address: Network address of the visitor.
        """
        folder = self.root / secrets.token_hex(16)
        folder.mkdir()
        path = folder / _safe_name(name)
        with path.open("xb") as target:
            shutil.copyfileobj(file, target)
        size = max(path.stat().st_size, self._limits.least_bytes)
        with self._lock:
            self._uploads.append(_Upload(folder, address, size, self._clock()))
            self._make_room()
        return self.public_name(path)

    def public_name(self, path: Path) -> str:
        """Return the name under which visitors see a file."""
        return f"{PUBLIC_FOLDER}/{path.relative_to(self.root).as_posix()}"

    def path(self, public_name: object) -> Path | None:
        """Return the path of a public name, or `None` if it does not name a file of the page."""
        if not isinstance(public_name, str) or "\0" in public_name or "\\" in public_name:
            return None
        parts = PurePosixPath(public_name).parts
        if parts[:2] != ("/", PUBLIC_FOLDER[1:]) or len(parts) < 3 or ".." in parts:
            return None
        path = self.root.joinpath(*parts[2:])
        try:
            is_inside = path.resolve().is_relative_to(self.root) and path.is_file()
        except (OSError, ValueError):
            return None
        return path if is_inside else None

    def sweep(self) -> None:
        """Remove files that are too old, and the oldest of gradio's if they are too many."""
        oldest = self._clock() - self._limits.seconds
        with self._lock:
            self._uploads = [upload for upload in self._uploads if upload.moment >= oldest]
            kept = self._kept | {upload.folder for upload in self._uploads}
        others = sorted(
            ((_modified(path), path) for path in self.root.iterdir() if path not in kept),
            reverse=True,
        )
        size = 0
        for moment, path in others:
            size += max(_size(path), _LEAST_BYTES)
            if moment < oldest or size > self._limits.bytes:
                _remove(path)

    def _make_room(self) -> None:
        sizes: Counter[str] = Counter()
        for upload in self._uploads:
            sizes[upload.address] += upload.size
        while sizes.total() > self._limits.bytes:
            ((heaviest, _),) = sizes.most_common(1)
            first = next(upload for upload in self._uploads if upload.address == heaviest)
            self._uploads.remove(first)
            sizes[heaviest] -= first.size
            _remove(first.folder)


def _safe_name(name: str) -> str:
    """Return the last part of a name, without characters that file systems treat specially."""
    last = re.split(r"[/\\]", name)[-1]
    kept = (letter if letter.isalnum() or letter in "._- " else "_" for letter in last)
    return "".join(kept).strip(". ")[-_NAME_CHARACTERS:] or "image"


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _modified(path: Path) -> float:
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    try:
        return sum(file.lstat().st_size for file in files)
    except OSError:
        return 0
