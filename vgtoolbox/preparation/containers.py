"""Uniform access to the files in folders and archives."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

_TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class Container(Protocol):
    """Named files in a folder or an archive."""

    path: Path

    def names(self) -> list[PurePosixPath]:
        """Return the names of all files, relative to the container."""

    def open(self, name: PurePosixPath) -> BinaryIO:
        """Open a file for reading."""


class FolderContainer:
    """Files in a folder and its subfolders, without the members of archives."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> list[PurePosixPath]:
        """Return the names of all files."""
        files = (file for file in sorted(self.path.rglob("*")) if file.is_file())
        return [PurePosixPath(file.relative_to(self.path).as_posix()) for file in files]

    def open(self, name: PurePosixPath) -> BinaryIO:
        """Open a file."""
        return (self.path / name).open("rb")


class ArchiveContainer:
    """Regular files in a zip or tar archive."""

    def __init__(self, path: Path, archive: zipfile.ZipFile | tarfile.TarFile) -> None:
        self.path = path
        self._archive = archive
        self._members: dict[PurePosixPath, Any]
        if isinstance(archive, zipfile.ZipFile):
            files = (info for info in archive.infolist() if not info.is_dir())
            self._members = {PurePosixPath(info.filename): info for info in files}
        else:
            members = (info for info in archive.getmembers() if info.isfile())
            self._members = {PurePosixPath(info.name): info for info in members}

    def names(self) -> list[PurePosixPath]:
        """Return the names of all files."""
        return list(self._members)

    def open(self, name: PurePosixPath) -> BinaryIO:
        """Open a member."""
        member = self._members[name]
        if isinstance(self._archive, zipfile.ZipFile):
            return self._archive.open(member)  # type: ignore[return-value]
        file = self._archive.extractfile(member)
        if file is None:
            raise ValueError(f"{self.path}: {name} is not a regular file")
        return file  # type: ignore[return-value]


@contextmanager
def open_archive(path: Path) -> Iterator[Container]:
    """Open a zip or tar archive.

    Raises:
        ValueError: The archive is damaged, or not an archive.
    """
    with ExitStack() as stack:
        try:
            archive: zipfile.ZipFile | tarfile.TarFile = (
                zipfile.ZipFile(path) if path.suffix == ".zip" else tarfile.TarFile.open(path)
            )
            stack.enter_context(archive)
            container = ArchiveContainer(path, archive)
        except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
            raise ValueError(
                f"{path} is damaged or not an archive: {error}; download it again"
            ) from None
        yield container


def find_archives(folder: Path) -> list[Path]:
    """Return the archives in a folder and its subfolders."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in files if path.name.endswith((".zip", *_TAR_SUFFIXES))]


def archive_stem(path: Path) -> str:
    """Return the name of an archive without its suffix."""
    for suffix in (".zip", *sorted(_TAR_SUFFIXES, key=len, reverse=True)):
        if path.name.endswith(suffix):
            return path.name[: -len(suffix)]
    return path.name


def copy_file(container: Container, name: PurePosixPath, target: Path) -> None:
    """Copy a file of a container to `target`.

    Raises:
        ValueError: The archive is truncated, or a checksum is wrong.
    """
    try:
        with container.open(name) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise ValueError(f"{container.path}, {name}: {error}; download it again") from None
