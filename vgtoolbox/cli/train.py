"""Train the model of a config."""

from __future__ import annotations

import argparse

from vgtoolbox.engine import ConfigError, load_config, parse_options, train


def overrides(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the config overrides of the arguments; --cfg-options take precedence."""
    options: dict[str, object] = {}
    if arguments.work_dir:
        options["work_dir"] = arguments.work_dir
    if arguments.device:
        options["device"] = arguments.device
    if arguments.seed is not None:
        options["randomness.seed"] = arguments.seed
    if arguments.auto_scale_lr:
        options["auto_scale_lr.enable"] = True
    if arguments.amp:
        options["optim_wrapper.type"] = "AutocastOptimWrapper"
        options["optim_wrapper.dtype"] = arguments.amp
    return {**options, **parse_options(arguments.cfg_options)}


def run(arguments: argparse.Namespace) -> None:
    """Train the model of a config.

    Raises:
        ConfigError: --auto-scale-lr is given, but the config has no base batch size.
    """
    cfg = load_config(arguments.config, overrides(arguments))
    if arguments.auto_scale_lr and not cfg.auto_scale_lr.get("base_batch_size"):
        raise ConfigError(
            "--auto-scale-lr needs the total batch size that the learning rate was chosen for; add "
            "--cfg-options auto_scale_lr.base_batch_size=N"
        )
    train(
        cfg,
        resume=arguments.resume,
        load_from=arguments.load_from,
        tokenizer=arguments.tokenizer,
    )
