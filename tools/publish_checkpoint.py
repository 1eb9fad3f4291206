"""Turn a training checkpoint into a released one: safetensors, with the config in its metadata.

    python tools/publish_checkpoint.py IN.pth OUT.safetensors [--dtype float16]

The averaged weights are taken where the training kept any.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from vgtoolbox.checkpoint import CheckpointError, load_checkpoint, save_released

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def publish(source: Path, target: Path, *, dtype: torch.dtype | None = None) -> None:
    """Write the weights and the config of `source` to `target`."""
    checkpoint = load_checkpoint(source)
    if not checkpoint.get("config"):
        raise CheckpointError(
            f"{source} carries no config, so it is no training checkpoint of ours"
        )
    save_released(checkpoint["state_dict"], checkpoint["config"], target, dtype=dtype)
    size = target.stat().st_size / 2**20
    print(f"{target}: {len(checkpoint['state_dict'])} tensors, {size:.2f} MiB")


def main(words: list[str] | None = None) -> None:
    """Read the command line and publish."""
    parser = argparse.ArgumentParser(description="Turn a training checkpoint into a released one.")
    parser.add_argument("source", type=Path, metavar="IN", help="a training checkpoint (.pth)")
    parser.add_argument("target", type=Path, metavar="OUT", help="a .safetensors file")
    parser.add_argument("--dtype", choices=sorted(DTYPES), help="of the weights; default: as is")
    arguments = parser.parse_args(words)
    publish(arguments.source, arguments.target, dtype=DTYPES.get(arguments.dtype))


if __name__ == "__main__":
    try:
        main()
    except (CheckpointError, FileNotFoundError, ValueError) as error:
        sys.exit(f"error: {error}")
