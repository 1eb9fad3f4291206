"""Errors of checkpoint files, which commands report in one line."""

from __future__ import annotations


class CheckpointError(RuntimeError):
    """A file is not a checkpoint, or is incomplete."""


class MissingCheckpointError(CheckpointError, FileNotFoundError):
    """A checkpoint, or a file that belongs to it, does not exist."""

    def __str__(self) -> str:
        return str(self.args[0])
