"""End a process when the process that started it is dead."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_INTERVAL = 1.0  # seconds between two looks
FAILED = 1
"""Exit code of a process that ends because others have failed."""


@contextmanager
def ends_with_parent(who: str, parent: str) -> Iterator[None]:
    """End this process at once if its parent dies while the block runs.

    A thread compares the process id of the parent, which the system replaces when the parent dies,
    however it dies. This works on every system and while the main thread waits for another process.

    Args:
        who: Name of this process in the message, e.g. "rank 1".
        parent: Name of the parent, e.g. "launcher".
    """
    stop = threading.Event()
    thread = threading.Thread(
        target=_watch, args=(os.getppid(), stop, who, parent), name="parent watch", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def end_with_parent(who: str, parent: str) -> None:
    """End this worker process at once if its parent dies, at any time."""
    arguments = (os.getppid(), threading.Event(), who, parent)
    threading.Thread(target=_watch, args=arguments, name="parent watch", daemon=True).start()


def end_process(message: str) -> None:
    """Print an error and end this process without waiting for its other threads.

    The main thread may wait for a process that will never answer. All files are written
    atomically, and the system releases all locks, so nothing is lost.
    """
    print(f"error: {message}", file=sys.stderr, flush=True)
    sys.stdout.flush()
    os._exit(FAILED)


def _watch(parent: int, stop: threading.Event, who: str, name: str) -> None:
    while not stop.wait(_INTERVAL):
        if os.getppid() != parent:
            end_process(f"the {name} (process {parent}) is dead, so {who} ends")
