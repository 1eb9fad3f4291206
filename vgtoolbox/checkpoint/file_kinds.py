"""Recognize the kind of a weights file by its content, not by its name."""

from __future__ import annotations

import errno
import stat
from enum import Enum
from pathlib import Path

from vgtoolbox.checkpoint.errors import CheckpointError, MissingCheckpointError
from vgtoolbox.utils.torch_files import is_legacy_torch

_HEAD_BYTES = 512
_MAX_HEADER = 100_000_000  # limit of the safetensors library
_SUFFIXES = (".pth", ".pt", ".bin", ".zip", ".pkl", ".safetensors")
_TAR_MAGIC = slice(257, 262)

_FAILED_DOWNLOADS = (
    (
        b"version https://git-lfs.github.com",
        "a pointer of git-lfs, not the weights: run git lfs pull in its repository, or download "
        "the file from its page",
    ),
    *(
        (
            start,
            "an HTML page, not the weights: the download returned a web page, for example one that "
            "asks to log in; download the file itself",
        )
        for start in (b"<!doctype html", b"<html")
    ),
    (
        b"<?xml",
        "an XML page, not the weights: the download returned an error of the server; download the "
        "file itself",
    ),
)
_COMPRESSED = (
    (b"\x1f\x8b", "gzip (gunzip)"),
    (b"BZh", "bzip2 (bunzip2)"),
    (b"\xfd7zXZ", "xz (unxz)"),
    (b"\x28\xb5\x2f\xfd", "zstandard (unzstd)"),
    (b"7z\xbc\xaf", "7-Zip (7z x)"),
    (b"Rar!", "RAR (unrar x)"),
)
_OTHERS = (
    (b"\x89HDF", "an HDF5 file, as Keras writes; convert it with the library that wrote it"),
    (b"GGUF", "a GGUF file of llama.cpp, whose weights are quantized; use the original weights"),
    (b"\x93NUMPY", "a NumPy array, not a checkpoint; use the file with all weights"),
    (b"PK\x05\x06", "an empty zip archive; download it again"),
    (b"\xff\xd8\xff", "a JPEG image; name the checkpoint"),
    (b"\x89PNG", "a PNG image; name the checkpoint"),
    (b"{", "a JSON file; name the file or the folder with the weights"),
)


class FileKind(Enum):
    """Format of a file with weights."""

    SAFETENSORS = "safetensors"
    TORCH = "torch"
    ARRAYS = "arrays"
    """Plain pickle of NumPy arrays, as detectron2 publishes them."""


def file_kind(source: Path) -> FileKind:
    """Return the format of a file with weights.

    Raises:
        CheckpointError: The file can't be read, or is not a checkpoint; the message says what it is
            and what to do.
    """
    try:
        with source.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise unreadable(source, error) from error
    if not head:
        raise CheckpointError(f"{source} is not a checkpoint: it is empty; download it again")
    if explanation := failed_download(head):
        raise CheckpointError(f"{source} is {explanation}")
    if head[:4] == b"PK\x03\x04" or is_legacy_torch(head):
        return FileKind.TORCH
    if 0 < int.from_bytes(head[:8], "little") <= _MAX_HEADER and head[8:9] == b"{":
        return FileKind.SAFETENSORS
    if head[:1] == b"\x80":
        return FileKind.ARRAYS
    raise CheckpointError(_explain_other(source, head))


def failed_download(content: bytes) -> str:
    """Return what a file is that a typical failed download leaves, "" for any other file."""
    text = content[:_HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    found = (explained for start, explained in _FAILED_DOWNLOADS if text.startswith(start))
    return next(found, "")


def _explain_other(source: Path, head: bytes) -> str:
    for start, program in _COMPRESSED:
        if head.startswith(start):
            return f"{source} is not a checkpoint: it is compressed with {program}; unpack it"
    if head[_TAR_MAGIC] == b"ustar":
        return (
            f"{source} is not a checkpoint: it is a tar archive; unpack it or, if torch < 0.1.10 "
            "wrote it, save its weights again with a newer one"
        )
    for start, explanation in _OTHERS:
        if head.startswith(start):
            return f"{source} is not a checkpoint: it is {explanation}"
    return (
        f"{source} is not a checkpoint: it must be a file of torch.save or *.safetensors, got a "
        f"file that begins with {head[:8]!r}; download it again"
    )


def check_exists(source: Path) -> bool:
    """Raise unless there is a file or a folder that can be read.

    Returns:
        Whether it is a folder.

    Raises:
        MissingCheckpointError: There is nothing at this path; the message lists its neighbors.
        CheckpointError: There is something else than a file or a folder, or it can't be read.
    """
    try:
        mode = source.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingCheckpointError(_explain_missing(source)) from error
    except (OSError, ValueError) as error:
        raise unreadable(source, error) from error
    if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
        raise CheckpointError(
            f"{source} must be a file or a folder, got a device, a pipe or a socket; name a file"
        )
    return stat.S_ISDIR(mode)


def unreadable(source: Path, error: Exception) -> CheckpointError:
    """Return the error for a file that the system does not let us read."""
    code = error.errno if isinstance(error, OSError) else None
    reasons: dict[int | None, str] = {
        errno.EACCES: "permission denied; change its permissions, or those of its folder",
        errno.EPERM: "permission denied; change its permissions, or those of its folder",
        errno.ELOOP: "it is a symbolic link that leads back to itself; remove the link",
        errno.ENAMETOOLONG: "its name is too long",
        errno.EISDIR: "it is a folder; name a file in it",
    }
    reason = reasons.get(code, f"{error}; copy it again")
    return CheckpointError(f"{source} can't be read: {reason}")


def _explain_missing(source: Path) -> str:
    """Return a message that lists the checkpoints next to the file that was not found."""
    if source.is_symlink():
        return (
            f"no checkpoint {source}: it is a symbolic link to {source.readlink()}, which does "
            "not exist; copy that file, or download it again"
        )
    if not source.parent.is_dir():
        return f"no checkpoint {source}: the folder {source.parent} does not exist"
    found = weight_files(source.parent)
    return f"no checkpoint {source}; checkpoints in that folder: {', '.join(found) or 'none'}"


def weight_files(folder: Path) -> list[str]:
    """Return the sorted names of the files in a folder that may contain weights."""
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.suffix in _SUFFIXES)
    except OSError:
        return []
