"""Locks that keep two runs from writing to the same output."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from vgtoolbox.utils.atomic_file import is_alive

_NOTE_WAIT = 2.0  # seconds until the holder of a lock has described itself
_DEAD_WAIT = 20.0  # seconds until the child processes of a killed holder have ended
_POLL = 0.1


class OutputInUseError(RuntimeError):
    """Another running process writes to the same output."""


class OutputNotWritableError(OSError):
    """The folder of an output cannot be written to, or cannot be locked."""


@contextmanager
def lock_output(path: str | os.PathLike[str], *, inside: bool | None = None) -> Iterator[None]:
    """Hold the lock of an output file or folder.

    The lock is a hidden file next to a file, or inside a folder. The operating system releases it
    when its process ends, however it ends; a lock file that is left over therefore does no harm.
    If the holder is dead, but its child processes (data loader workers) still hold the lock, they
    are waited for.

    Args:
        path: File or folder that the run writes to.
        inside: Whether the lock file is inside the folder `path`, which is created, or next to it.
            A folder that the run replaces as a whole needs the latter. If `None`, it is inside an
            existing folder.

    Raises:
        OutputInUseError: Another process holds the lock; the message names its process id, host,
            start and command.
        OutputNotWritableError: The lock file cannot be written; the message names the cause.
    """
    target = Path(path)
    inside = target.is_dir() if inside is None else inside
    name = ".lock" if inside else f".{target.name}.lock"
    folder = target if inside else target.parent
    note = folder / f"{name}.json"
    lock = FileLock(folder / name, timeout=0)
    with _explain_os_error(target, folder):
        _acquire(lock, target, folder, note)
    try:
        _warn_about_other_host(target, _read(note))
        with _explain_os_error(target, folder):
            note.write_text(json.dumps(_owner()), encoding="utf-8")
        yield
    finally:
        with suppress(OSError):  # the folder may have been removed, or the disk be full
            note.unlink(missing_ok=True)
        lock.release()


def _acquire(lock: FileLock, target: Path, folder: Path, note: Path) -> None:
    """Acquire the lock at once, or after the orphans of a dead holder have ended."""
    started = time.monotonic()
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
            return
        except Timeout:
            owner = _read(note)
            is_named = owner is not None and not _is_dead(owner)
            limit = _NOTE_WAIT if owner is None else _DEAD_WAIT
            if is_named or time.monotonic() - started > limit:
                raise OutputInUseError(_describe(target, owner)) from None
        time.sleep(_POLL)


@contextmanager
def _explain_os_error(target: Path, folder: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, NotImplementedError) as error:
        cause = getattr(error, "strerror", None) or error
        if isinstance(error, FileExistsError | NotADirectoryError):
            cause = "a file where a folder is needed"
        raise OutputNotWritableError(
            f"{target} must be an output that can be written to and locked, got: {cause} "
            f"({folder}); choose another output, or change the permissions of the folder"
        ) from error


def _owner() -> dict[str, str | int]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": " ".join(sys.argv),
    }


def _read(note: Path) -> Mapping[str, Any] | None:
    """Return the description of the last holder, or `None` if there is none yet."""
    try:
        owner = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return owner if isinstance(owner, dict) and _owner().keys() <= owner.keys() else None


def _is_dead(owner: Mapping[str, Any]) -> bool:
    """Return whether the process ran on this host and has ended."""
    pid = owner["pid"]
    return owner["host"] == socket.gethostname() and isinstance(pid, int) and not is_alive(pid)


def _describe(target: Path, owner: Mapping[str, Any] | None) -> str:
    if owner is None:
        return f"{target} is in use by another process; wait for it, or choose another output"
    who = "process {pid} on {host}, started {started}: {command}".format_map(owner)
    if _is_dead(owner):
        return (
            f"{target} is in use by child processes of a dead run ({who}); stop them, or choose "
            "another output"
        )
    return f"{target} is in use by {who}; wait for it, stop it, or choose another output"


def _warn_about_other_host(target: Path, left_over: Mapping[str, Any] | None) -> None:
    """Warn about an unfinished run on another host, because some file systems lock per host."""
    if left_over is not None and left_over["host"] != socket.gethostname():
        warnings.warn(
            f"the last run in {target} was "
            + "process {pid} on {host}, started {started}, which "
            "did not end normally. Its lock is free and taken over; make sure that it has "
            "ended, because some network file systems do not share locks".format_map(left_over),
            stacklevel=4,
        )
