"""Read configs and override their keys from the command line; unknown keys are errors."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.optim import OptimWrapper
from mmengine.registry import root
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from vgtoolbox import registry as ours
from vgtoolbox.checkpoint.config_text import read_config_text
from vgtoolbox.utils.deprecation import current_argument, update_config
from vgtoolbox.zoo import find_config

RUNNER_KEYS = frozenset(inspect.signature(Runner.__init__).parameters) - {"self", "cfg"}
# Keys that the Runner reads from the config itself, or the commands.
_OTHER_KEYS = frozenset(
    {
        "activation_checkpointing",
        "compile",
        "custom_imports",
        "device",
        "efficient_conv_bn_eval",
        "find_unused_parameters",
        "model_wrapper_cfg",
        "sync_bn",
        "test_splits",
    }
)
KNOWN_KEYS = RUNNER_KEYS | _OTHER_KEYS
_LOOP_KEYS = frozenset(
    {"type", "by_epoch", "max_epochs", "max_iters", "val_begin", "val_interval", "fp16"}
    | {"dynamic_intervals"}
)
_ENVIRONMENT_KEYS = frozenset({"cudnn_benchmark", "mp_cfg", "dist_cfg", "resource_limit"})
_LOADER_KEYS = frozenset(inspect.signature(DataLoader.__init__).parameters) | {
    "disable_subprocess_warning",
    "num_batch_per_epoch",
}
# Keys that mmengine removes before it calls a constructor, by top-level section.
_BUILDER_KEYS = {
    "optim_wrapper": frozenset({"type", "constructor", "paramwise_cfg"}),
    "param_scheduler": frozenset({"convert_to_iter_based"}),
    "default_hooks": frozenset({"priority"}),
    "custom_hooks": frozenset({"priority"}),
}


# Text that was meant as a Python literal: a number with an exponent, brackets or quotes.
_MALFORMED = re.compile(r"""^[+-]?(\d+\.?\d*|\.\d+)[eE]([+-]|\d|$)|^[\[({'"]|[\])}'"]$""")


class ConfigError(ValueError):
    """A config, or an override of it, has an unknown key or name."""


def load_config(path: str | Path, options: Mapping[str, Any] | None = None) -> Config:
    """Read a config with its bases, and apply overrides.

    Args:
        path: Path of a Python config, or name of a packaged one (`zoo.find_config`). Helper
            variables of a config begin with an underscore; they are dropped.
        options: Values by dotted key, e.g. `{"optim_wrapper.optimizer.lr": 1e-3}`; a number in the
            key is the index of a list. If `None`, nothing is overridden.

    Raises:
        FileNotFoundError: There is no such config; the message names the nearest.
        ConfigError: A key is unknown; the message names the nearest known one.
    """
    path = find_config(path)
    cfg = _read_file(path)
    for key in [key for key in cfg if key.startswith("_")]:
        cfg.pop(key)
    for key in cfg:
        if key not in KNOWN_KEYS:
            raise ConfigError(
                f"{path}: unknown key {key!r}{_nearest(key, KNOWN_KEYS)}. "
                "Helper variables of a config must begin with an underscore"
            )
    update_config(cfg._cfg_dict)
    for key, value in (options or {}).items():
        override(cfg, key, value)
    return cfg


def _read_file(path: str | Path) -> Config:
    """Read a file with its bases, and import the modules in `custom_imports`.

    Raises:
        ConfigError: The file is not a config, its code raises an error, or a module of
            `custom_imports` is not found. Other errors of a module pass.
    """
    try:
        cfg = Config.fromfile(str(path), import_custom_modules=False)
    except OSError:
        raise
    except Exception as error:  # the file is code of the user, which may raise anything
        raise ConfigError(
            f"{path} cannot be read as a config: {type(error).__name__}: "
            f"{' '.join(str(error).split())}; correct the file or one of its _base_ files"
        ) from error
    wanted = cfg.get("custom_imports", {})
    names = wanted.get("imports", [])
    for name in [names] if isinstance(names, str) else names:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if wanted.get("allow_failed_imports", False):
                continue
            raise ConfigError(
                f"{path}: module {name!r} of custom_imports cannot be imported ({error}). "
                "Python searches the installed packages and PYTHONPATH; for a folder in the "
                "current directory run: export PYTHONPATH=."
            ) from error
    return cfg


def config_from_text(text: str) -> Config:
    """Return the config that a checkpoint contains, with earlier names replaced.

    Args:
        text: Python source, as `write_config_text` writes it.
    """
    cfg = Config(read_config_text(text))
    update_config(cfg._cfg_dict)
    return cfg


def parse_options(texts: Sequence[str]) -> dict[str, Any]:
    """Read `key=value` words of a command line.

    Values are Python literals, `true`, `false` or `none` in any case, comma-separated lists, or
    plain text: `lr=1e-3`, `flag=true`, `size=320,320`, `name=a b`.

    Raises:
        ConfigError: A word is not `key=value`, or its value is a malformed literal such as
            `1e--3`, `[1,2` or `'a`.
    """
    options = {}
    for text in texts:
        key, separator, value = text.partition("=")
        if not separator or not key:
            raise ConfigError(f"an override must have the form key=value, got {text!r}")
        try:
            options[key.strip()] = _parse_value(value)
        except ValueError as error:
            raise ConfigError(
                f"the value of {key.strip()!r} {error}; write text that is not a Python literal in "
                "quotes"
            ) from None
    return options


def override(cfg: Config, dotted_key: str, value: Any) -> None:
    """Set one key of a config in place.

    A key that the config does not have is accepted only if the class that its parent configures
    takes it as an argument.

    Args:
        cfg: Config to change.
        dotted_key: Key, e.g. "optim_wrapper.optimizer.lr".
        value: New value.

    Raises:
        ConfigError: The key or index does not exist.
    """
    *parents, last = dotted_key.split(".")
    node: Any = cfg
    known = True
    for depth, given in enumerate(parents):
        name = _present_name(node, given)
        if known:
            _check_key(node, name, where=".".join(parents[:depth]), dotted_key=dotted_key)
        if isinstance(node, (list, tuple)):
            node = node[int(name)]
            continue
        if node.get(name) is None:
            # Keys of a new section cannot be checked here; the class that takes it checks them.
            known = False
            node[name] = ConfigDict()
        node = node[name]
    last = _present_name(node, last)
    if known:
        _check_key(node, last, where=".".join(parents), dotted_key=dotted_key)
    node[int(last) if isinstance(node, list) else last] = value
    update_config(cfg._cfg_dict if node is cfg else node)


def _present_name(node: Any, name: str) -> str:
    """Return the present name of a key that an earlier release may have called `name`."""
    return current_argument(node.get("type"), name) if isinstance(node, dict) else name


def _check_key(node: Any, name: str, *, where: str, dotted_key: str) -> None:
    """Raise `ConfigError` unless `node` has `name` or accepts it."""
    if isinstance(node, (list, tuple)):
        if _index(name) not in range(len(node)):
            raise ConfigError(
                f"{dotted_key!r}: {name!r} must be a number from 0 to {len(node) - 1}, since "
                f"{where!r} is a list of {len(node)}"
            )
        return
    if not isinstance(node, (dict, Config)):
        raise ConfigError(
            f"{dotted_key!r}: {where!r} must be a section with keys, got {node!r}; set {where!r} "
            "as a whole"
        )
    if name in node:
        return
    accepted = _accepted_keys(node, where)
    if name not in accepted:
        raise ConfigError(
            f"unknown key {dotted_key!r}: {where or 'the config'} has no {name!r}"
            f"{_nearest(name, {*node, *accepted})}"
        )


def _accepted_keys(node: Mapping[str, Any], where: str) -> frozenset[str]:
    """Return the keys that the section `where` accepts, in addition to those that it has."""
    section = where.rpartition(".")[2]
    if not where:
        return KNOWN_KEYS
    of_builder = _BUILDER_KEYS.get(where.split(".")[0], frozenset())
    if isinstance(node.get("type"), str):
        return _constructor_keys(_find_type(node["type"])) | of_builder
    if section == "optim_wrapper":
        return _constructor_keys(OptimWrapper) | of_builder
    if section.endswith("_dataloader"):
        return frozenset(_LOADER_KEYS)
    if section == "randomness":
        return frozenset(inspect.signature(Runner.set_randomness).parameters) - {"self"}
    sections = {
        "train_cfg": _LOOP_KEYS,
        "val_cfg": _LOOP_KEYS,
        "test_cfg": _LOOP_KEYS,
        "env_cfg": _ENVIRONMENT_KEYS,
        "auto_scale_lr": frozenset({"enable", "base_batch_size"}),
        "custom_imports": frozenset({"imports", "allow_failed_imports"}),
    }
    return sections.get(section, frozenset())


def _constructor_keys(built: type | None) -> frozenset[str]:
    """Return the names of a constructor's arguments, including those passed on to base classes."""
    names: set[str] = set()
    for cls in inspect.getmro(built) if inspect.isclass(built) else ():
        if "__init__" not in vars(cls) or cls is object:
            continue
        parameters = inspect.signature(vars(cls)["__init__"]).parameters.values()
        names.update(parameter.name for parameter in parameters)
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
            break
    return frozenset(names - {"self", "args", "kwargs"})


def _find_type(name: str) -> type | None:
    """Return the class registered as `name` in any registry, or `None`."""
    own = [entry for entry in vars(ours).values() if isinstance(entry, ours.Registry)]
    for candidate in [*own, root.OPTIMIZERS, root.EVALUATOR, root.LOG_PROCESSORS]:
        try:
            found = candidate.get(name)
        except KeyError:
            continue
        if found is not None:
            return found
    return None


def _parse_value(text: str) -> Any:
    words = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        if _MALFORMED.search(text):
            raise ValueError(f"must be a literal or plain text, got {text!r}") from None
        return [_parse_value(part) for part in text.split(",")] if "," in text else text
    return list(value) if isinstance(value, tuple) and not text.startswith("(") else value


def _index(name: str) -> int:
    return int(name) if name.isdigit() else -1


def _nearest(name: str, known: set[str] | frozenset[str]) -> str:
    """Return a hint with the most similar known names."""
    near = get_close_matches(name, known, n=3, cutoff=0.6)
    if near:
        return f"; did you mean {' or '.join(map(repr, near))}?"
    return f"; known: {', '.join(sorted(known))}" if known else ""
