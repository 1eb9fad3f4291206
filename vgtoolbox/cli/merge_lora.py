"""Merge the LoRA of a checkpoint into its model, or extract the trained weights."""

from __future__ import annotations

import argparse

from vgtoolbox.checkpoint import load_checkpoint, save_released
from vgtoolbox.checkpoint.config_text import write_config_text
from vgtoolbox.deployment.lora_export import extract_adapter_weights, merge_lora_weights
from vgtoolbox.engine import ConfigError, load_config
from vgtoolbox.engine.untrusted_config import untrusted_config


def run(arguments: argparse.Namespace) -> None:
    """Merge the adapter or extract it, and save the result."""
    content = load_checkpoint(arguments.checkpoint)
    text = content.get("config")
    if arguments.config is None and not text:
        raise ConfigError(f"{arguments.checkpoint} contains no config; pass it with --config")
    cfg = (
        load_config(arguments.config)
        if arguments.config
        else untrusted_config(str(text), source=str(arguments.checkpoint))
    )
    config = cfg.to_dict()
    if arguments.adapter_only:
        weights = extract_adapter_weights(content["state_dict"], config)
    else:
        weights, config = merge_lora_weights(content["state_dict"], config)
    save_released(weights, write_config_text(config), arguments.out)
    print(f"{arguments.out}: {len(weights)} tensors")
