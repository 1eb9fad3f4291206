"""Merge the LoRA of a checkpoint into its model, or keep of a checkpoint what was trained.

    python tools/merge_lora.py work_dirs/run/iter_50000.pth merged.safetensors
    python tools/merge_lora.py work_dirs/run/iter_50000.pth adapter.safetensors --adapter-only
    python tools/merge_lora.py pretrain_weights/MLLMSeg_8B OUT.safetensors --config CONFIG

A merged checkpoint needs no peft and runs faster. One with the adapter only is small, and loads on
top of the weights that `model.mllm.pretrained` names.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from vgtoolbox.checkpoint import load_checkpoint, save_released
from vgtoolbox.checkpoint.config_text import write_config_text
from vgtoolbox.cli.errors import exit_on_user_error
from vgtoolbox.deployment.lora_export import extract_adapter_weights, merge_lora_weights
from vgtoolbox.engine import ConfigError, load_config
from vgtoolbox.engine.config import config_from_text


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path, help="ours, or a published folder")
    parser.add_argument("out", type=Path, help="*.safetensors")
    parser.add_argument("--config", help="the default is the one that the checkpoint carries")
    parser.add_argument("--adapter-only", action="store_true", help="keep what was trained")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Merge, or cut out."""
    args = parse_args(argv)
    with exit_on_user_error():
        content = load_checkpoint(args.checkpoint)
        text = content.get("config")
        if args.config is None and not text:
            raise ConfigError(f"{args.checkpoint} carries no config; name it by --config")
        cfg = load_config(args.config) if args.config else config_from_text(str(text))
        config = cfg.to_dict()
        if args.adapter_only:
            weights = extract_adapter_weights(content["state_dict"], config)
        else:
            weights, config = merge_lora_weights(content["state_dict"], config)
        save_released(weights, write_config_text(config), args.out)
        print(f"{args.out}: {len(weights)} tensors")


if __name__ == "__main__":
    main()
