"""Write files and folders in one step: a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import socket
import sys
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedWriter, FileIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

_SUFFIX = ".tmp"
_REPLACED = ".replaced"
_FOLDER_MODE = 0o755
_SECONDS_OF_A_DAY = 86400
_FULL: Mapping[int | None, str] = MappingProxyType(
    {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the quota is exhausted",
        errno.EFBIG: "the limit of the file size was reached",
    }
)


class DiskFullError(OSError):
    """The disk, the quota or the limit of the file size is exhausted."""


@contextmanager
def atomic_file(
    path: str | os.PathLike[str], *, expected_bytes: int | None = None
) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` in one step once it is written to the end.

    Several processes may write the same path: each writes a temporary file of its own, and the last
    one to finish wins. Temporary files of processes that were killed are removed.

    Args:
        path: File to write.
        expected_bytes: Size of the file, for the error if the disk is full. If `None`, the error
            names only the bytes written so far.

    Raises:
        DiskFullError: The disk is full; the message names the file, the bytes written and needed,
            and the free bytes.
        OSError: The file cannot be written for another reason.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    temporary = _temporary(target)
    raw = _File(temporary, "xb")
    file = BufferedWriter(raw)
    try:
        yield file
        file.flush()
        os.fsync(raw.fileno())
        file.close()
        temporary.replace(target)
    except BaseException as error:
        written = raw.written
        raw.close()  # without another attempt to write the buffer
        temporary.unlink(missing_ok=True)
        # Libraries such as torch.save replace the error of the file with one of their own.
        explained = explain_full_disk(raw.error or error, target, written, expected_bytes)
        if explained is not None:
            raise explained from error
        raise


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary folder that replaces `path` once it is filled without an error."""
    target = Path(path)
    with temporary_folder(target) as folder:
        yield folder
        put_folder(folder, target)


@contextmanager
def temporary_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder next to `target`, which is removed at the end.

    Folders of processes that were killed are removed.

    Raises:
        DiskFullError: The disk is full.
        OSError: The folder cannot be written for another reason.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    folder = _temporary(target)
    folder.mkdir(mode=_FOLDER_MODE)
    try:
        yield folder
    except OSError as error:
        written = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        explained = explain_full_disk(error, target, written)
        if explained is not None:
            raise explained from error
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_folder(folder: Path, target: Path) -> None:
    """Rename `folder` to `target`, replacing an existing folder.

    On Linux the two are exchanged in one step. Elsewhere there is a moment in which neither the old
    nor the new folder is at `target`; `remove_leftovers` takes the old one back if the process is
    killed then.

    Args:
        folder: Folder on the same file system as `target`.
        target: New path of the folder. An existing folder there is replaced and deleted.
    """
    if not target.exists():
        folder.replace(target)
        return
    if _exchange(folder, target):
        shutil.rmtree(folder)
        return
    replaced = _temporary(target, _REPLACED)
    target.replace(replaced)
    folder.replace(target)
    shutil.rmtree(replaced)


def remove_leftovers(target: Path) -> None:
    """Remove the temporary files and folders of `target` whose processes are dead.

    Processes on other hosts that share the file system count as alive for a day after they last
    wrote. Each removal is named in a warning.
    """
    for suffix in (_REPLACED, _SUFFIX):
        for leftover in target.parent.glob(f".{_escape(target.name)}.*{suffix}"):
            owner = leftover.name.removesuffix(suffix).rpartition(".")[2]
            if _has_ended(owner, leftover):
                _remove_leftover(leftover, target, suffix)
    unnamed = target.with_name(f".{target.name}{_REPLACED}")  # of earlier releases
    if unnamed.exists():
        _remove_leftover(unnamed, target, _REPLACED)


def remove_leftovers_in(folder: Path) -> None:
    """Remove the temporary files and folders of all targets in `folder`; see `remove_leftovers`."""
    for suffix in (_REPLACED, _SUFFIX):
        for leftover in folder.glob(f".*@*{suffix}"):
            name, _, owner = leftover.name.removesuffix(suffix).removeprefix(".").rpartition(".")
            if name and _has_ended(owner, leftover):
                _remove_leftover(leftover, folder / name, suffix)


def _remove_leftover(leftover: Path, target: Path, suffix: str) -> None:
    """Remove a leftover, or take it back if it is the only copy of `target`."""
    if suffix == _REPLACED and not target.exists():
        leftover.replace(target)
        warnings.warn(f"{target} was restored from {leftover.name} of a killed run", stacklevel=4)
        return
    warnings.warn(f"{leftover} of a killed run is removed", stacklevel=4)
    if leftover.is_dir():
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        leftover.unlink(missing_ok=True)


def _has_ended(owner: str, leftover: Path) -> bool:
    """Return whether the process of a leftover has ended.

    Args:
        owner: Owner as in the name of the leftover.
        leftover: Its path.
    """
    host, _, rest = owner.rpartition("@")
    pid = rest.partition("-")[0]
    if not host or not pid.isdigit():
        return False
    if host == _host():
        return not is_alive(int(pid))
    return _age(leftover) > _SECONDS_OF_A_DAY


class _File(FileIO):
    """File that keeps the error of a failed write, and counts the bytes."""

    error: OSError | None = None
    written = 0

    def write(self, data: Any, /) -> int:
        try:
            count = super().write(data)
        except OSError as error:
            self.error = error
            raise
        self.written += count or 0
        return count


def _temporary(target: Path, suffix: str = _SUFFIX) -> Path:
    """Return a path that no other writer uses.

    It is in the same folder, because a rename is atomic only within a file system.
    """
    owner = f"{_host()}@{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return target.with_name(f".{target.name}.{owner}{suffix}")


def _host() -> str:
    return socket.gethostname().replace(".", "_").replace("/", "_")


def is_alive(pid: int) -> bool:
    """Return whether a process of this host runs; where that is unknown, it counts as alive."""
    if sys.platform == "win32":  # signal 0 would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Return whether a process has ended, but its parent has not asked for its exit code."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # no /proc, as on macOS
        return False
    return status.rpartition(")")[2].split()[:1] == ["Z"]


def _age(path: Path) -> float:
    """Return the seconds since a file or folder changed; 0 if it has just been removed."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _escape(name: str) -> str:
    """Escape the characters that `Path.glob` interprets."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two paths in one step; return `False` if the system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0


def explain_full_disk(
    error: BaseException, target: Path, written: int, expected: int | None = None
) -> DiskFullError | None:
    """Return an error that says how many bytes were written, needed and free.

    Args:
        error: Error of writing.
        target: File or folder that was written.
        written: Number of bytes written so far.
        expected: Number of bytes needed. If `None`, it is unknown.

    Returns:
        The new error, or `None` if `error` has another cause than a full disk, an exhausted quota
        or a limit of the file size.
    """
    if not isinstance(error, OSError) or error.errno not in _FULL:
        return None
    needed = "" if expected is None else f" of about {expected}"
    free = shutil.disk_usage(_existing_parent(target)).free
    return DiskFullError(
        error.errno,
        f"no space left for {target}: {_FULL[error.errno]} after {written}{needed} bytes, {free} "
        "bytes are free; free some space or choose another folder. An existing file there is "
        "unchanged",
    )


def _existing_parent(path: Path) -> Path:
    return next(folder for folder in path.absolute().parents if folder.is_dir())
