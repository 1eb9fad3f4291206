"""Accept configs from checkpoints only if they build nothing but registered classes.

This is the trust boundary of configs. A config file that the user names may import modules and use
any dotted type, like any Python file that the user runs. A config that comes out of a checkpoint is
untrusted data: each `type` in it, at any depth, must already be registered, because
mmengine's registries import unknown names, and importing or calling them would run code. The
options of a metafile are held to the same rule.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import root
from torch import nn
from torch.nn.modules import module as torch_hooks

from vgtoolbox import registry as ours
from vgtoolbox.checkpoint.errors import CheckpointError
from vgtoolbox.engine.config import config_from_text

MAX_CONFIG_CHARACTERS = 1_000_000
"""Length of a config text; the longest in this package has 30,000 characters."""
_FORBIDDEN_KEYS = frozenset({"_scope_", "custom_imports"})
# It would load a checkpoint, of any address, with mmengine's own loader.
_FORBIDDEN_TYPES = frozenset({"Pretrained"})
# Plain values for transformers, which no registry builds; a `type` in them is not a class.
_PLAIN_SECTIONS = frozenset({"text_config", "vision_config"})
_KERNELS = "attn_implementation"
_MAX_NUMBER = 1 << 24  # of layers, tokens and the like, before anything is built
_MAX_PIXELS = 8192  # side of an image, or number of tokens, in a pipeline
_PIXEL_SECTIONS = frozenset({"pipeline", "data_preprocessor"})
# How much larger than its weights a model may be: buffers and shared weights are not stored.
_MAX_GROWTH, _FREE_VALUES, _FREE_PARTS = 4, 1 << 24, 10_000


def untrusted_config(text: str, *, source: str) -> Config:
    """Return the config that a checkpoint contains, once all of its types are known.

    Args:
        text: Config as `write_config_text` writes it.
        source: Path of the checkpoint, for errors.

    Raises:
        CheckpointError: The text is not a resolved config, a type is not registered or has a scope
            other than `vgtoolbox`, a key would change how types are looked up, or a number is
            larger than any model needs. The message names the key and the value.
    """
    if len(text) > MAX_CONFIG_CHARACTERS:
        raise CheckpointError(
            f"{source}: the config in the checkpoint must have at most {MAX_CONFIG_CHARACTERS} "
            f"characters, got {len(text)}; pass the config file that it was trained with"
        )
    try:
        cfg = config_from_text(text)
        values = cfg.to_dict()
    except Exception as error:  # mmengine raises errors of many types for strange keys
        raise CheckpointError(
            f"{source}: the config in the checkpoint is damaged ({error}); pass the config file "
            "that it was trained with"
        ) from None
    check_untrusted_values(values, source=f"{source}: the config in the checkpoint")
    return cfg


def check_untrusted_values(values: Mapping[str, Any], *, source: str) -> None:
    """Raise if a config from an untrusted source would build more than registered classes.

    Args:
        values: Config, or overrides by dotted key.
        source: Origin of the values, for errors.

    Raises:
        CheckpointError: The message names the key and the value.
    """
    known = _registered_types() - _FORBIDDEN_TYPES
    for path, value in _walk(values, ()):
        key = path[-1].rpartition(".")[2]
        problem = ""
        if key in _FORBIDDEN_KEYS:
            problem = "which is not a type of vgtoolbox"
        elif key == "type" and not _PLAIN_SECTIONS & set(path):
            name = str(value).removeprefix(f"{ours.SCOPE}.")
            problem = "" if name in known else "which is not a type of vgtoolbox"
        elif key.endswith(_KERNELS) and not str(value).isidentifier() and value is not None:
            problem = "which names kernels to download"
        elif type(value) is int and abs(value) > _largest_number(path):
            problem = f"which must be at most {_largest_number(path)}"
        if problem:
            raise CheckpointError(
                f"{source} has {'.'.join(path)} = {value!r:.200}, {problem}. Nothing was built or "
                "imported. If you trust it, pass a config file of your own with --config, which "
                "may import your modules"
            )


def _largest_number(path: tuple[str, ...]) -> float:
    """Return the largest number at a place in a config; those of training are never used."""
    if set(path) & _PIXEL_SECTIONS:
        return _MAX_PIXELS
    is_size = path[0].partition(".")[0] == "model" and "theta" not in path[-1]
    return _MAX_NUMBER if is_size else float("inf")


def _walk(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the keys and the value of each entry, also of those that contain others."""
    if isinstance(node, Mapping):
        items = [(str(key), value) for key, value in node.items()]
    elif isinstance(node, (list, tuple)):
        items = [(str(index), value) for index, value in enumerate(node)]
    else:
        return
    for key, value in items:
        here = (*path, key)
        yield here, value
        yield from _walk(value, here)


def check_model_size(
    config: Mapping[str, Any], weights: Mapping[str, Any], *, extra: int = 0, source: str
) -> None:
    """Raise if a model would be far larger than the weights that a checkpoint has for it.

    The model is built on the meta device, without memory for its values, and no further than its
    limit.

    Args:
        config: Config of the model, whose types are registered.
        weights: State dict of the checkpoint; only shapes are read.
        extra: Number of values that the model gets from elsewhere.
        source: Path of the checkpoint, for errors.

    Raises:
        CheckpointError: The model is too large, or can't be built.
    """
    shapes = weights.shapes() if hasattr(weights, "shapes") else weights
    values = sum(value.numel() for value in shapes.values()) + extra
    counter = _PartCounter(
        values=_MAX_GROWTH * values + _FREE_VALUES, parts=_MAX_GROWTH * len(shapes) + _FREE_PARTS
    )
    register = (
        torch_hooks.register_module_parameter_registration_hook,
        torch_hooks.register_module_buffer_registration_hook,
        torch_hooks.register_module_module_registration_hook,
    )
    handles = [function(counter.count) for function in register]
    try:
        with torch.device("meta"):
            ours.MODELS.build(dict(config))
    except _TooLargeError:
        raise CheckpointError(
            f"{source}: the config in the checkpoint builds a model that is many times larger than "
            "its weights. Nothing was loaded; pass the config that it was trained with"
        ) from None
    except Exception as error:
        raise CheckpointError(
            f"{source}: the model of the config in the checkpoint can't be built "
            f"({type(error).__name__}: {error}); pass the config that it was trained with"
        ) from error
    finally:
        for handle in handles:
            handle.remove()


class _TooLargeError(BaseException):
    """A model exceeds its limit; not an `Exception`, so that no constructor handles it."""


class _PartCounter:
    """Number of values and modules that may still be added to the modules of this thread."""

    def __init__(self, *, values: int, parts: int) -> None:
        self._values, self._parts = values, parts
        self._thread = threading.get_ident()

    def count(self, module: nn.Module, name: str, part: Any) -> None:
        """Count a parameter, a buffer or a module that is added to another one."""
        if threading.get_ident() != self._thread:
            return
        self._parts -= 1
        self._values -= part.numel() if isinstance(part, torch.Tensor) else 0
        if self._values < 0 or self._parts < 0:
            raise _TooLargeError


def _registered_types() -> frozenset[str]:
    """Return the names in our registries and in mmengine's roots, without importing others."""
    names: set[str] = set()
    for registry in vars(ours).values():
        if isinstance(registry, ours.Registry):
            names.update(registry.known_types())
    for registry in (root.OPTIMIZERS, root.EVALUATOR, root.LOG_PROCESSORS):
        names.update(registry.module_dict)
    return frozenset(names)
