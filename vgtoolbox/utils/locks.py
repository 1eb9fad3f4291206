"""Locks that keep two runs from writing to the same output."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class OutputInUseError(RuntimeError):
    """Another running process writes to the same output."""


@contextmanager
def lock_output(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the lock of an output file or folder.

    The lock is a hidden file next to a file, or inside a folder. The operating system releases it
    when its process ends, however it ends; a lock file that is left over therefore does no harm.

    Args:
        path: File or existing folder that the run writes to.

    Raises:
        OutputInUseError: Another process holds the lock; the message names its process id, host,
            start and command.
    """
    target = Path(path)
    name = ".lock" if target.is_dir() else f".{target.name}.lock"
    folder = target if target.is_dir() else target.parent
    folder.mkdir(parents=True, exist_ok=True)
    note = folder / f"{name}.json"
    lock = FileLock(folder / name, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise OutputInUseError(
            f"{target} is in use by {_describe(note)}; wait for it, stop it, or choose another "
            "output"
        ) from None
    try:
        note.write_text(json.dumps(_owner()), encoding="utf-8")
        yield
    finally:
        note.unlink(missing_ok=True)
        lock.release()


def _owner() -> dict[str, str | int]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "started": time.strftime("%Y-%m-%d %H:%M:%S"),
        "command": " ".join(sys.argv),
    }


def _describe(note: Path) -> str:
    try:
        owner = json.loads(note.read_text(encoding="utf-8"))
        return "process {pid} on {host}, started {started}: {command}".format(**owner)
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
