"""Convert a checkpoint between the layout that its authors published and ours.

    python tools/convert_checkpoint.py IN OUT [--config CONFIG]

The direction follows from the keys of IN, the kind of file from the suffix of OUT (.safetensors or
.pth). With the config of the model every weight is checked, and a .safetensors in our layout
carries config and tokenizer: it needs nothing beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from vgtoolbox.checkpoint import convert_checkpoint
from vgtoolbox.checkpoint.config_text import write_config_text
from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.engine import load_config
from vgtoolbox.registry import MODELS


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Convert a checkpoint to or from our layout.")
    parser.add_argument("source", type=Path, metavar="IN", help="a published checkpoint, or ours")
    parser.add_argument("target", type=Path, metavar="OUT", help=".safetensors or .pth")
    parser.add_argument("--config", help="of the model; checks every weight and goes along")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> None:
    """Convert, and say what was done."""
    arguments = parse_arguments(words)
    model, config_text = None, ""
    if arguments.config:
        cfg = load_config(arguments.config)
        config_text = write_config_text(cfg.to_dict())
        with torch.device("meta"):  # only names and shapes are looked at
            model = MODELS.build(cfg.model)
    conversion = convert_checkpoint(
        arguments.source, arguments.target, model=model, config_text=config_text
    )
    direction = "to" if conversion.to_published else "from"
    print(
        f"{arguments.target}: {len(conversion.state_dict)} tensors, converted {direction} the "
        f"layout of {conversion.layout}"
        + (", checked weight by weight" if model is not None else "")
    )


if __name__ == "__main__":
    with exit_on_user_error():
        main()
