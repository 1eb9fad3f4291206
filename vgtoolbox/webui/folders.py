"""Temporary folder of a page, which is removed however its process ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vgtoolbox.utils.locks import OutputInUseError, OutputNotWritableError, lock_output

_PREFIX = "vgtoolbox-web-"


@contextmanager
def page_folder() -> Iterator[Path]:
    """Create a folder for the files of a page, and remove it at the end.

    Folders of pages whose processes were killed are removed first. A lock, which the operating
    system releases with its process, distinguishes them from those of running pages.
    """
    remove_dead_folders(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    try:
        with lock_output(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_dead_folders(parent: Path) -> None:
    """Remove the folders of this user's pages that no running process has locked."""
    for folder in parent.glob(f"{_PREFIX}*"):
        # A folder without a lock file has just been created by a page that is about to lock it.
        if not _is_own_folder(folder) or not (folder / ".lock").is_file():
            continue
        try:
            with lock_output(folder):
                pass
        except (OutputInUseError, OutputNotWritableError):
            continue
        shutil.rmtree(folder, ignore_errors=True)


def _is_own_folder(folder: Path) -> bool:
    """Return whether a path is a folder, not a link, of the current user."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    owner = os.getuid() if hasattr(os, "getuid") else status.st_uid
    return folder.is_dir() and not folder.is_symlink() and status.st_uid == owner
