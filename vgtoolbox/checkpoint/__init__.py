"""Checkpoints: files on disk, and loading them into models."""

from vgtoolbox.checkpoint.convert import Conversion, convert_checkpoint, convert_state_dict
from vgtoolbox.checkpoint.embedded_files import embedded_files, pack_files, tokenizer_files
from vgtoolbox.checkpoint.errors import CheckpointError, MissingCheckpointError
from vgtoolbox.checkpoint.io import (
    load_checkpoint,
    load_released,
    save_checkpoint,
    save_released,
)
from vgtoolbox.checkpoint.strict import (
    CheckpointMismatchError,
    LoadReport,
    load_state_dict_strict,
    match_state_dict,
    to_model_layout,
)

__all__ = [
    "CheckpointError",
    "CheckpointMismatchError",
    "Conversion",
    "LoadReport",
    "MissingCheckpointError",
    "convert_checkpoint",
    "convert_state_dict",
    "embedded_files",
    "load_checkpoint",
    "load_released",
    "load_state_dict_strict",
    "match_state_dict",
    "pack_files",
    "save_checkpoint",
    "save_released",
    "to_model_layout",
    "tokenizer_files",
]
