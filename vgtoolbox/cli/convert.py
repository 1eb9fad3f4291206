"""Convert a checkpoint between its published layout and ours."""

from __future__ import annotations

import argparse

import torch

from vgtoolbox.checkpoint import convert_checkpoint
from vgtoolbox.checkpoint.config_text import write_config_text
from vgtoolbox.engine import load_config
from vgtoolbox.registry import MODELS


def run(arguments: argparse.Namespace) -> None:
    """Convert the checkpoint and print a summary."""
    model, config_text = None, ""
    if arguments.config:
        cfg = load_config(arguments.config)
        config_text = write_config_text(cfg.to_dict())
        with torch.device("meta"):  # only names and shapes are needed
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
