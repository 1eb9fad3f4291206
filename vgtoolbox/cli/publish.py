"""Turn a training checkpoint into a released one: safetensors with config and tokenizer."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.utils import apply_to

from vgtoolbox.checkpoint import (
    CheckpointError,
    load_checkpoint,
    save_released,
    tokenizer_files,
)
from vgtoolbox.checkpoint.config_text import ConfigTextError, write_config_text
from vgtoolbox.checkpoint.embedded_files import METADATA_KEY, unpack_files
from vgtoolbox.checkpoint.finite import check_finite
from vgtoolbox.engine import parse_options
from vgtoolbox.engine.config import config_from_text, override

# Keys that describe the run and not the model.
_RUN_KEYS = frozenset({"device", "experiment_name", "launcher", "load_from", "resume", "work_dir"})
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def publish(
    source: Path,
    target: Path,
    *,
    dtype: torch.dtype | None = None,
    options: Mapping[str, Any] | None = None,
) -> None:
    """Write the weights, the config and the tokenizers of `source` to `target`.

    Args:
        source: Training checkpoint.
        target: Output file, `.safetensors`.
        dtype: Data type of the weights. If `None`, it is unchanged.
        options: Overrides of the config in the file, e.g. a threshold chosen after training.
    """
    checkpoint = load_checkpoint(source)
    if not checkpoint.get("config"):
        raise CheckpointError(
            f"{source} contains no config, so it is not a training checkpoint of vgtoolbox"
        )
    check_finite(checkpoint["state_dict"], str(source))
    try:
        config = config_from_text(checkpoint["config"])
    except ConfigTextError as error:
        raise CheckpointError(f"{source}: the config in it is damaged ({error})") from error
    for key, value in (options or {}).items():
        override(config, key, value)
    here = f"{Path.cwd()}/"
    config = relative_paths(config.to_dict(), here)
    config_text = write_config_text({key: config[key] for key in config if key not in _RUN_KEYS})
    packed = checkpoint.get("meta", {}).get(METADATA_KEY, "")
    files = {relative_paths(name, here): file for name, file in unpack_files(packed).items()}
    save_released(
        checkpoint["state_dict"],
        config_text,
        target,
        dtype=dtype,
        files=files or tokenizer_files(config),  # checkpoints of version 0.1 contain no files
    )
    size = target.stat().st_size / 2**20
    print(f"{target}: {len(checkpoint['state_dict'])} tensors, {size:.2f} MiB")


def relative_paths(value: Any, folder: str) -> Any:
    """Remove `folder`, which ends in a slash, from the beginning of all strings in `value`."""
    return apply_to(value, lambda x: isinstance(x, str), lambda x: x.removeprefix(folder))


def run(arguments: argparse.Namespace) -> None:
    """Publish a checkpoint."""
    publish(
        arguments.source,
        arguments.target,
        dtype=DTYPES.get(arguments.dtype),
        options=parse_options(arguments.cfg_options),
    )
