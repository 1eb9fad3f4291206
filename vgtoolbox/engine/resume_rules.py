"""Rules for resuming with changed settings: the value that holds, or an error.

A resumed run compares its config with the one in the checkpoint. `RULES` is the only place that
decides about a difference; the page docs/runs.md explains the rules to users.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from vgtoolbox.checkpoint.config_text import ConfigTextError, write_config_text
from vgtoolbox.checkpoint.io import CheckpointError
from vgtoolbox.engine.config import ConfigError, config_from_text

NOT_SET: Final = "not set"
"""Value of a key that one of the configs does not have."""
SEED, PROCESSES = "randomness.seed", "processes"
_ACCUMULATION = "optim_wrapper.accumulative_counts"
_SHOWN = 100  # characters of a value in a message


class Holds(Enum):
    """Decision about a changed setting."""

    OLD = "the old value holds"
    NEW = "the new value holds"
    REFUSED = "it cannot change"
    IGNORED = "it has no influence on the training"


@dataclass(frozen=True)
class Rule:
    """Decision about the keys that match a pattern.

    Args:
        pattern: Regular expression for the beginning of a key, up to a dot, a bracket or the end.
        holds: Decision.
        reason: Explanation for the user.
        is_schedule: Whether the learning rates and the states of schedulers depend on the setting.
    """

    pattern: str
    holds: Holds
    reason: str
    is_schedule: bool = False


_OF_THE_COMMAND = frozenset({"default_scope", "experiment_name", "launcher", "load_from", "resume"})
_RUN = "work_dir|log_level|log_processor|visualizer|vis_backends|device|env_cfg|custom_imports"
_LOADER = "num_workers|persistent_workers|pin_memory|prefetch_factor|timeout"
_SCHEDULE = "the learning rate continues as in an uninterrupted run with the new settings"

RULES: Final[tuple[Rule, ...]] = (
    Rule(f"(?:{_RUN})", Holds.IGNORED, "a setting of the process"),
    Rule(rf"\w+_dataloader\.(?:{_LOADER})", Holds.IGNORED, "a setting of the process"),
    Rule(r"test_\w+", Holds.IGNORED, "a setting of tests"),
    Rule(r"default_hooks\.(?:logger|progress|timer|pictures)", Holds.IGNORED, "a setting of logs"),
    Rule(
        r"custom_hooks\[PretrainedWeightsHook\]", Holds.IGNORED, "weights come from the checkpoint"
    ),
    Rule(r"model.*\.init_cfg", Holds.IGNORED, "weights come from the checkpoint"),
    Rule(SEED, Holds.OLD, "all random numbers of a run come from one seed"),
    Rule(
        r"(?:model|(?:train|val)_dataloader)\..*tokenizer\.(?:model_file|folder)$",
        Holds.IGNORED,
        "tokenizers are compared by their content",
    ),
    Rule(
        r"model\..*(?:loss|drop|weight|thr|postprocessor|checkpointing)\w*",
        Holds.NEW,
        "from the next iteration; weights come from the checkpoint",
    ),
    Rule("model", Holds.REFUSED, "its weights belong to the model that they were trained in"),
    Rule(
        r"(?:train|val)_dataloader\..*tokenizer",
        Holds.REFUSED,
        "the weights of words belong to the tokenizer that they were trained with",
    ),
    Rule(
        r"optim_wrapper\.optimizer\.type",
        Holds.REFUSED,
        "the state of one optimizer means nothing to another",
    ),
    Rule(
        r"train_cfg\.(?:type|by_epoch)",
        Holds.REFUSED,
        "the position in the training is counted in another unit",
    ),
    Rule(
        r"custom_hooks\[EMAHook\]$",
        Holds.REFUSED,
        "the checkpoint has averaged weights only if they are averaged from the start",
    ),
    Rule(
        r"default_hooks\.checkpoint\.(?:save_best|rule|by_epoch|type)",
        Holds.REFUSED,
        "the best score so far is one of another metric, or is counted in another unit",
    ),
    Rule(
        r"optim_wrapper\.optimizer\.lr$|param_scheduler|auto_scale_lr|processes|"
        r"train_cfg\.(?:max_epochs|max_iters)|train_dataloader\.batch_size",
        Holds.NEW,
        _SCHEDULE,
        is_schedule=True,
    ),
    Rule(
        "optim_wrapper",
        Holds.NEW,
        "from the next iteration, with the moments of the checkpoint",
        is_schedule=True,
    ),
    Rule("train_dataloader", Holds.NEW, "from the next epoch (or iteration, if it counts those)"),
    Rule(
        "val_dataloader|val_evaluator",
        Holds.NEW,
        "from the next validation; earlier scores, also the best one, are of the old setting",
    ),
    Rule("", Holds.NEW, "from the next iteration"),
)
"""Rules in the order of their precedence: the first one that matches a key decides."""


@dataclass(frozen=True)
class Change:
    """Setting that differs from that of the checkpoint.

    Args:
        key: Dotted key; an entry of a list is named by its type, e.g. "custom_hooks[EMAHook]".
        old: Value in the checkpoint, or `NOT_SET`.
        new: Value of this run, or `NOT_SET`.
    """

    key: str
    old: Any
    new: Any

    @property
    def rule(self) -> Rule:
        """Rule that decides about the key."""
        return next(rule for rule in RULES if re.match(rf"(?:{rule.pattern})", self.key))

    def __str__(self) -> str:
        rule = self.rule
        values = f"{self.key}: {_short(self.old)} -> {_short(self.new)}"
        return f"{values}; {rule.holds.value}: {rule.reason}"


def compare_with_checkpoint(
    checkpoint: Mapping[str, Any], config: Mapping[str, Any], *, source: str, processes: int
) -> list[Change]:
    """Return the settings that differ from those of a checkpoint.

    Args:
        checkpoint: Content of the checkpoint. Without a config, only the meta data are compared.
        config: Resolved config of this run.
        source: Name of the checkpoint, for errors.
        processes: Number of processes of this run.

    Raises:
        CheckpointError: The config in the checkpoint cannot be read.
        ConfigError: A setting that differs cannot change.
    """
    meta = checkpoint.get("meta", {})
    changes = []
    if checkpoint.get("config"):
        try:
            old = config_from_text(checkpoint["config"]).to_dict()
        except ConfigTextError as error:
            raise CheckpointError(f"{source}: {error}") from error
        new = config_from_text(write_config_text(config)).to_dict()
        skipped = {SEED, *_OF_THE_COMMAND}
        changes = [change for change in differences(old, new) if change.key not in skipped]
    seed = (config.get("randomness") or {}).get("seed")
    if seed is not None and meta.get("seed") not in (None, seed):
        changes.append(Change(SEED, meta["seed"], seed))
    if meta.get("world_size") not in (None, processes):
        changes.append(Change(PROCESSES, meta["world_size"], processes))
    _refuse(changes, source)
    if checkpoint.get("gradients") and any(change.key == _ACCUMULATION for change in changes):
        raise ConfigError(
            f"{source} was saved between two steps of the optimizer, so {_ACCUMULATION} cannot "
            "change; resume with the old value, or from the checkpoint of another epoch"
        )
    _check_end(meta, config, source)
    return changes


def differences(old: Any, new: Any, key: str = "") -> Iterator[Change]:
    """Yield the values that differ between two configs.

    Entries of lists are matched by their type, so that an inserted hook or transform is one
    difference.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _mapping_differences(old, new, key)
    elif _is_typed_list(old) and _is_typed_list(new):
        yield from _mapping_differences(_by_type(old), _by_type(new), key, brackets=True)
    elif _plain(old) != _plain(new):
        yield Change(key, old, new)


def describe_changes(changes: Sequence[Change], source: str) -> str:
    """Return a message with one line for each change, and one for those without influence."""
    lines = [f"  {change}" for change in changes if change.rule.holds is not Holds.IGNORED]
    ignored = [change.key for change in changes if change.rule.holds is Holds.IGNORED]
    if ignored:
        lines.append(f"  without influence on the training: {', '.join(ignored)}")
    return "\n".join([f"settings that differ from those of {source}:", *lines])


def _refuse(changes: Sequence[Change], source: str) -> None:
    refused = [change for change in changes if change.rule.holds is Holds.REFUSED]
    if refused:
        lines = "\n".join(f"  {change}" for change in refused)
        raise ConfigError(
            f"{source} cannot be resumed with these settings:\n{lines}\nResume with the config in "
            "the work dir, or start a new training from its weights with --load-from"
        )


def _check_end(meta: Mapping[str, Any], config: Mapping[str, Any], source: str) -> None:
    """Raise if the training is already longer than the config says."""
    loop = config.get("train_cfg") or {}
    for key, unit in (("max_epochs", "epoch"), ("max_iters", "iter")):
        done, end = meta.get(unit), loop.get(key)
        if isinstance(done, int) and isinstance(end, int) and end < done:
            raise ConfigError(
                f"train_cfg.{key} must be at least {done}, the position of {source}, got {end}; "
                "train longer, or use the checkpoint as it is"
            )


def _mapping_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], key: str, *, brackets: bool = False
) -> Iterator[Change]:
    for name in dict.fromkeys([*old, *new]):
        inner = f"{key}[{name}]" if brackets else f"{key}.{name}" if key else str(name)
        values = old.get(name, NOT_SET), new.get(name, NOT_SET)
        if not all(value in (None, NOT_SET) for value in values):  # `None` is as good as not set
            yield from differences(*values, inner)
    common = [[name for name in one if name in other] for one, other in ((old, new), (new, old))]
    if (brackets or key.endswith("pipeline")) and common[0] != common[1]:
        yield Change(f"{key} (order)", *common)


def _is_typed_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(
        isinstance(entry, Mapping) and "type" in entry for entry in value
    )


def _by_type(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return entries by their type, numbered from the second one of a type on."""
    named: dict[str, Any] = {}
    for entry in entries:
        name, count = str(entry["type"]), 1
        while name in named:
            count += 1
            name = f"{entry['type']} {count}"
        named[name] = entry
    return named


def _plain(value: Any) -> Any:
    """Return a value in which tuples are lists."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value


def _short(value: Any) -> str:
    text = NOT_SET if value is NOT_SET or value == NOT_SET else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
