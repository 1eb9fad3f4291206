"""Checkpoints: files on disk, and loading them into models."""

from vgtoolbox.checkpoint.carried_files import carried_files, pack_files, tokenizer_files
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
    "carried_files",
    "load_checkpoint",
    "load_released",
    "load_state_dict_strict",
    "pack_files",
    "save_checkpoint",
    "save_released",
    "to_model_layout",
    "tokenizer_files",
]
