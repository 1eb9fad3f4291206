"""A number of the model that changes in the course of training."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from vgtoolbox.registry import HOOKS


@HOOKS.register_module()
class HyperParameterHook(Hook):
    """Set a number of the model by epoch, such as the weight of a loss.

    It depends on the epoch alone, so that a resumed run continues with the right one.

    Args:
        option: Dotted name, as in the config of the model: "language_weight".
        milestones: Rising numbers of done epochs at which it changes.
        values: What it is from each of them on. Before the first the model's own holds.

    Raises:
        ValueError: Milestones do not rise, or there are not as many values.
    """

    def __init__(self, *, option: str, milestones: Sequence[int], values: Sequence[float]) -> None:
        if sorted(set(milestones)) != list(milestones) or len(milestones) != len(values):
            raise ValueError(
                f"expected rising milestones and a value for each, got milestones={milestones} "
                f"and values={values}"
            )
        self.option = option
        self.milestones = list(milestones)
        self.values = list(values)

    def before_train(self, runner: Runner) -> None:
        """Refuse an option that the model does not have, before anything is trained."""
        try:
            owner, name = self._find(runner)
            value = getattr(owner, name)
        except AttributeError as error:
            raise ValueError(f"HyperParameterHook, option={self.option!r}: {error}") from error
        if not isinstance(value, int | float):
            raise ValueError(
                f"HyperParameterHook, option={self.option!r}: expected a number, found {value!r}"
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the value of this epoch."""
        passed = bisect_right(self.milestones, runner.epoch)
        if passed:
            owner, name = self._find(runner)
            setattr(owner, name, self.values[passed - 1])

    def _find(self, runner: Runner) -> tuple[Any, str]:
        """Return the module that has the option, and its name there."""
        path, _, name = self.option.rpartition(".")
        return runner.bare_model.get_submodule(path), name
