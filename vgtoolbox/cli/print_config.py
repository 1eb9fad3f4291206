"""Print a config with its bases and overrides resolved."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from vgtoolbox.engine import ConfigError, load_config, parse_options


def section(cfg: Config, key: str) -> Any:
    """Return the value of a dotted key.

    Raises:
        ConfigError: The key does not exist; the message names its siblings.
    """
    node: Any = cfg
    for name in key.split("."):
        if isinstance(node, list | tuple) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        elif isinstance(node, Mapping | Config) and name in node:
            node = node[name]
        else:
            siblings = (
                ", ".join(map(str, node)) if isinstance(node, Mapping | Config) else repr(node)
            )
            raise ConfigError(f"the config has no {key!r}: {name!r} is not among {siblings}")
    return node


def run(arguments: argparse.Namespace) -> None:
    """Print the config or the section that `--key` names."""
    cfg = load_config(arguments.config, parse_options(arguments.cfg_options))
    if arguments.key:
        last = arguments.key.rpartition(".")[2]
        name = last if last.isidentifier() else "value"
        cfg = Config({name: section(cfg, arguments.key)})
    print(cfg.pretty_text, end="")
