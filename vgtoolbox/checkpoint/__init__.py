"""Checkpoints: files on disk, and loading them into models."""

from vgtoolbox.checkpoint.io import (
    CheckpointError,
    load_checkpoint,
    load_released,
    save_checkpoint,
    save_released,
)
from vgtoolbox.checkpoint.strict import (
    CheckpointMismatchError,
    LoadReport,
    load_state_dict_strict,
    to_model_layout,
)

__all__ = [
    "CheckpointError",
    "CheckpointMismatchError",
    "LoadReport",
    "load_checkpoint",
    "load_released",
    "load_state_dict_strict",
    "save_checkpoint",
    "save_released",
    "to_model_layout",
]
