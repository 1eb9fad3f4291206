"""Write files and folders in one step: a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_SUFFIX = ".tmp"
_FOLDER_MODE = 0o755


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file that replaces `path` in one step once it is written to the end.

    Several processes may write the same path: each writes a temporary file of its own, and the last
    one to finish wins. Temporary files of processes that were killed are removed.

    Raises:
        OSError: The file cannot be written. If the disk is full, the message names the file and the
            number of bytes written so far.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    temporary = _temporary(target)
    try:
        with temporary.open("xb") as file:
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
            except OSError as error:
                raise _explain_full_disk(error, target, file) from error
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary folder that replaces `path` once it is filled without an error."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target)
    folder = _temporary(target)
    folder.mkdir(mode=_FOLDER_MODE)
    try:
        yield folder
        put_folder(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_folder(folder: Path, target: Path) -> None:
    """Rename `folder` to `target`, replacing an existing folder.

    On Linux the two are exchanged in one step. Elsewhere there is a moment in which neither the old
    nor the new folder is at `target`.

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
    replaced = _temporary(target)
    target.replace(replaced)
    folder.replace(target)
    shutil.rmtree(replaced)


def remove_leftovers(target: Path) -> None:
    """Remove the temporary files and folders of `target` whose processes are dead.

    Processes on other hosts that share the file system count as alive.
    """
    for leftover in target.parent.glob(f".{_escape(target.name)}.*{_SUFFIX}"):
        owner = leftover.name.removesuffix(_SUFFIX).rpartition(".")[2]
        host, _, rest = owner.rpartition("@")
        pid = rest.partition("-")[0]
        if host != _host() or not pid.isdigit() or _is_alive(int(pid)):
            continue
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _temporary(target: Path) -> Path:
    """Return a path that no other writer uses.

    It is in the same folder, because a rename is atomic only within a file system.
    """
    owner = f"{_host()}@{os.getpid()}-{uuid.uuid4().hex[:8]}"
    return target.with_name(f".{target.name}.{owner}{_SUFFIX}")


def _host() -> str:
    return socket.gethostname().replace(".", "_").replace("/", "_")


def _is_alive(pid: int) -> bool:
    if sys.platform == "win32":  # signal 0 would end the process there
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


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


def _explain_full_disk(error: OSError, target: Path, file: BinaryIO) -> OSError:
    """Name the file and the bytes written if the disk or the quota is exhausted."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return error
    free = shutil.disk_usage(target.parent).free
    return OSError(
        error.errno,
        f"no space left for {target}: stopped after {file.tell()} bytes, {free} bytes are free; "
        "free some space or choose another folder. The previous file is unchanged",
    )
