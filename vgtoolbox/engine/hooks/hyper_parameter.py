"""Schedule a hyper-parameter of the model by epoch."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from vgtoolbox.registry import HOOKS


@HOOKS.register_module()
class HyperParameterHook(Hook):
    """Set a numeric attribute of the model by epoch, such as the weight of a loss.

    It depends on the epoch alone, so that a resumed run continues with the correct value.

    Args:
        attribute: Dotted name, as in the config of the model: "language_weight".
        milestones: Increasing numbers of finished epochs at which the value changes.
        values: Value from each milestone on. Before the first one, the initial value is kept.

    Raises:
        ValueError: Milestones are not increasing, or the number of values differs.
    """

    def __init__(
        self, *, attribute: str, milestones: Sequence[int], values: Sequence[float]
    ) -> None:
        if sorted(set(milestones)) != list(milestones) or len(milestones) != len(values):
            raise ValueError(
                f"milestones must be increasing with one value each, got milestones={milestones} "
                f"and values={values}"
            )
        self.attribute = attribute
        self.milestones = list(milestones)
        self.values = list(values)

    def before_train(self, runner: Runner) -> None:
        """Check that the model has the attribute.

        Raises:
            ValueError: It does not, or the attribute is not a number.
        """
        try:
            owner, name = self._find(runner)
            value = getattr(owner, name)
        except AttributeError as error:
            raise ValueError(
                f"HyperParameterHook: attribute={self.attribute!r} is not a valid name: {error}"
            ) from error
        if not isinstance(value, int | float):
            raise ValueError(
                f"HyperParameterHook: attribute={self.attribute!r} of the model must be a number, "
                f"got {value!r}"
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the value for this epoch."""
        passed = bisect_right(self.milestones, runner.epoch)
        if passed:
            owner, name = self._find(runner)
            setattr(owner, name, self.values[passed - 1])

    def _find(self, runner: Runner) -> tuple[Any, str]:
        """Return the module that has the attribute, and its name in that module."""
        path, _, name = self.attribute.rpartition(".")
        return runner.bare_model.get_submodule(path), name
