"""Optimizer states and schedules of a run that is resumed with other settings."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from mmengine.optim import OptimWrapper, _ParamScheduler
from torch import nn
from torch.optim import Optimizer

from vgtoolbox.checkpoint.io import CheckpointError
from vgtoolbox.engine.config import ConfigError


def parameter_names(model: nn.Module, optimizer: Optimizer) -> list[str]:
    """Return the names of an optimizer's parameters, in the order of its state."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [names[id(p)] for group in optimizer.param_groups for p in group["params"]]


def state_for_new_settings(
    saved: Mapping[str, Any],
    saved_names: Sequence[str] | None,
    model: nn.Module,
    optim_wrapper: OptimWrapper,
) -> dict[str, Any]:
    """Return a state with the moments of a saved one, and the settings of the new optimizer.

    Args:
        saved: State of the optimizer wrapper in the checkpoint.
        saved_names: Names of the parameters in the order of the saved state. If `None`, as in
            checkpoints of version 0.1, the groups must have the same sizes as before.
        model: Model without its distributed wrapper.
        optim_wrapper: New optimizer wrapper, with settings from the config.

    Raises:
        CheckpointError: The checkpoint has no names, and the groups are others than before.
    """
    fresh = optim_wrapper.state_dict()
    names = parameter_names(model, optim_wrapper.optimizer)
    if saved_names is None:
        sizes = [
            [len(group["params"]) for group in state["param_groups"]] for state in (saved, fresh)
        ]
        if sizes[0] != sizes[1]:
            raise CheckpointError(
                "the parameter groups of the optimizer must be those of the checkpoint, which does "
                f"not name its parameters, got groups of {sizes[1]} instead of {sizes[0]} "
                "parameters; resume with the optim_wrapper of the config in the work dir"
            )
        saved_names = names
    by_name = {saved_names[index]: entry for index, entry in saved["state"].items()}
    state = {index: by_name[name] for index, name in enumerate(names) if name in by_name}
    scaler = {"scaler": saved["scaler"]} if "scaler" in fresh and saved.get("scaler") else {}
    return {**fresh, **scaler, "state": state}


def replay_schedulers(schedulers: Sequence[_ParamScheduler], *, epochs: int, iters: int) -> None:
    """Bring new schedulers to a position, as if they had been used from the start.

    The learning rates are then exactly those of an uninterrupted run with the new settings. The
    schedulers take turns as in training, since each continues from the value of the others.

    Args:
        schedulers: New schedulers, after no step.
        epochs: Number of finished epochs.
        iters: Number of finished iterations.

    Raises:
        ConfigError: A schedule depends on results of the validation.
    """
    for scheduler in schedulers:
        if getattr(scheduler, "need_val_args", False):
            raise ConfigError(
                f"{type(scheduler).__name__} depends on earlier validations, so the schedule "
                "cannot change on --resume; resume with the config in the work dir, or start from "
                "the weights with --load-from"
            )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Detected call of `scheduler.step")
        done = 0
        for epoch in range(1, epochs + 1):
            until = iters * epoch // epochs
            _step(schedulers, until - done, by_epoch=False)
            _step(schedulers, 1, by_epoch=True)
            done = until
        _step(schedulers, iters - done, by_epoch=False)


def _step(schedulers: Sequence[_ParamScheduler], times: int, *, by_epoch: bool) -> None:
    chosen = [scheduler for scheduler in schedulers if scheduler.by_epoch is by_epoch]
    for _ in range(times if chosen else 0):
        for scheduler in chosen:
            scheduler.step()
