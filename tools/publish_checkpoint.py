"""Turn a training checkpoint into a released one: safetensors, with config and tokenizer in it.

    python tools/publish_checkpoint.py IN.pth OUT.safetensors [--dtype float16]
                                       [--cfg-options k=v ...]

The averaged weights are taken where the training kept any. Paths below the current folder are
written relative to it: a released file speaks of no machine.
"""

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
from vgtoolbox.checkpoint.config_text import write_config_text
from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.engine import parse_options
from vgtoolbox.engine.config import config_from_text, override

# What says where and how the training ran, not what was trained.
OF_THE_RUN = {"device", "experiment_name", "launcher", "load_from", "resume", "work_dir"}
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
        source: A training checkpoint.
        target: A `.safetensors` file.
        dtype: Of the weights; None leaves them as they are.
        options: Overrides of the config that goes along, e.g. a threshold chosen after training.
    """
    checkpoint = load_checkpoint(source)
    if not checkpoint.get("config"):
        raise CheckpointError(
            f"{source} carries no config, so it is no training checkpoint of ours"
        )
    config = config_from_text(checkpoint["config"])
    for key, value in (options or {}).items():
        override(config, key, value)
    config = relative_paths(config.to_dict(), f"{Path.cwd()}/")
    config_text = write_config_text({key: config[key] for key in config if key not in OF_THE_RUN})
    files = tokenizer_files(config)
    save_released(checkpoint["state_dict"], config_text, target, dtype=dtype, files=files)
    size = target.stat().st_size / 2**20
    print(f"{target}: {len(checkpoint['state_dict'])} tensors, {size:.2f} MiB")


def relative_paths(value: Any, folder: str) -> Any:
    """Return a config's value with `folder`, which ends in a slash, taken off its strings."""
    return apply_to(value, lambda x: isinstance(x, str), lambda x: x.removeprefix(folder))


def main(words: list[str] | None = None) -> None:
    """Read the command line and publish."""
    parser = argparse.ArgumentParser(description="Turn a training checkpoint into a released one.")
    parser.add_argument("source", type=Path, metavar="IN", help="a training checkpoint (.pth)")
    parser.add_argument("target", type=Path, metavar="OUT", help="a .safetensors file")
    parser.add_argument("--dtype", choices=sorted(DTYPES), help="of the weights; default: as is")
    parser.add_argument("--cfg-options", nargs="+", default=[], metavar="K=V")
    arguments = parser.parse_args(words)
    publish(
        arguments.source,
        arguments.target,
        dtype=DTYPES.get(arguments.dtype),
        options=parse_options(arguments.cfg_options),
    )


if __name__ == "__main__":
    with exit_on_user_error():
        main()
