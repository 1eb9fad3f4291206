"""Initialize a part of the model from pretrained weights."""

from __future__ import annotations

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from vgtoolbox.checkpoint import (
    CheckpointError,
    MissingCheckpointError,
    load_checkpoint,
    load_state_dict_strict,
)
from vgtoolbox.engine.config import ConfigError
from vgtoolbox.registry import HOOKS


@HOOKS.register_module()
class PretrainedWeightsHook(Hook):
    """Load all weights of a part strictly before the first iteration of a new training.

    A training that resumes, or starts from the weights of a whole model (`--load-from`), already
    has them, and testing does not need them: the file is required only if it is used.

    Args:
        module: Dotted name of the part, e.g. "backbone", or the names of several parts that are in
            one file, e.g. those of SAM.
        checkpoint: Path of its weights, a file or a published folder, in any known layout.
        url: Page on which the file is published, for the error if it is missing.

    Raises:
        CheckpointError: The file does not exist; raised at the start of the training.
    """

    priority = "VERY_HIGH"

    def __init__(self, *, module: str | Sequence[str], checkpoint: str, url: str = "") -> None:
        self.module = module
        self.checkpoint = checkpoint
        self.url = url

    def before_train(self, runner: Runner) -> None:
        """Load the weights, unless the whole model has been loaded."""
        if runner._has_loaded:
            return
        try:
            weights = load_checkpoint(self.checkpoint)["state_dict"]
        except MissingCheckpointError as error:
            source = f" Download it from {self.url}." if self.url else ""
            raise CheckpointError(
                f"the pretrained weights {self.checkpoint} do not exist.{source} Without them, "
                "train from random weights with custom_hooks=[], or from the weights of a whole "
                "model with --load-from"
            ) from error
        part, name = self._find_part(runner.bare_model)
        report = load_state_dict_strict(part, weights, source=self.checkpoint)
        runner.logger.info(
            f"{self.checkpoint}: {len(report.matched)} weights of {name} loaded, all matched "
            f"(layout of {report.layout})"
        )

    def _find_part(self, model: nn.Module) -> tuple[nn.Module, str]:
        """Return the part, or a module of several parts, and its name for the log."""
        try:
            if isinstance(self.module, str):
                return model.get_submodule(self.module), self.module
            parts = {each: model.get_submodule(each) for each in self.module}
            return nn.ModuleDict(parts), ", ".join(self.module)
        except AttributeError as error:
            known = ", ".join(name for name, _ in model.named_children())
            raise ConfigError(
                "module of PretrainedWeightsHook must name parts of the model, got "
                f"{self.module!r}; its parts: {known}"
            ) from error
