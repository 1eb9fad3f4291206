"""Accept configs from checkpoints only if they build nothing but registered classes.

This is the trust boundary of configs. A config file that the user names may import modules and use
any dotted type, like any Python file that the user runs. A config that comes out of a checkpoint is
untrusted data: each `type` in it, at any depth, must already be registered, because
mmengine's registries import unknown names, and importing or calling them would run code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmengine.config import Config
from mmengine.registry import root

from vgtoolbox import registry as ours
from vgtoolbox.checkpoint.config_text import ConfigTextError
from vgtoolbox.checkpoint.io import CheckpointError
from vgtoolbox.engine.config import config_from_text

_FORBIDDEN_KEYS = frozenset({"_scope_", "custom_imports"})
# Plain values for transformers, which no registry builds; a `type` in them is not a class.
_PLAIN_SECTIONS = frozenset({"text_config", "vision_config"})


def untrusted_config(text: str, *, source: str) -> Config:
    """Return the config that a checkpoint contains, once all of its types are known.

    Args:
        text: Config as `write_config_text` writes it.
        source: Path of the checkpoint, for errors.

    Raises:
        CheckpointError: The text is not a resolved config, a type is not registered or has a scope
            other than `vgtoolbox`, or a key would change how types are looked up. The message names
            the key and the type.
    """
    try:
        cfg = config_from_text(text)
    except ConfigTextError as error:
        raise CheckpointError(
            f"{source}: the config in the checkpoint is damaged ({error}); pass the config file "
            "that it was trained with"
        ) from None
    known = _registered_types()
    for key, value in _find_types(cfg.to_dict(), ""):
        name = str(value).removeprefix(f"{ours.SCOPE}.")
        if name not in known:
            raise CheckpointError(
                f"{source}: the config in the checkpoint has {key} = {value!r}, which is not a "
                "type of vgtoolbox. Nothing was built or imported. If you trust it, pass a config "
                "file of your own with --config, which may import your modules"
            )
    return cfg


def _find_types(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of each `type`, and of each forbidden key."""
    if isinstance(node, dict):
        for key, value in node.items():
            here = f"{path}.{key}" if path else str(key)
            if key == "type" or key in _FORBIDDEN_KEYS:
                yield here, value
            if key not in _PLAIN_SECTIONS:
                yield from _find_types(value, here)
    elif isinstance(node, (list, tuple)):
        for index, value in enumerate(node):
            yield from _find_types(value, f"{path}.{index}")


def _registered_types() -> frozenset[str]:
    """Return the names in our registries and in mmengine's roots, without importing others."""
    names: set[str] = set()
    for registry in vars(ours).values():
        if isinstance(registry, ours.Registry):
            names.update(registry.known_types())
    for registry in (root.OPTIMIZERS, root.EVALUATOR, root.LOG_PROCESSORS):
        names.update(registry.module_dict)
    return frozenset(names)
