"""Starting a training from the pretrained weights of a part of the model."""

from __future__ import annotations

from pathlib import Path

from mmengine.hooks import Hook
from mmengine.runner import Runner

from vgtoolbox.checkpoint import CheckpointError, load_checkpoint, load_state_dict_strict
from vgtoolbox.registry import HOOKS


@HOOKS.register_module()
class PretrainedWeightsHook(Hook):
    """Load a part's weights, all of them, before the first iteration of a new training.

    A training that resumes, or begins with the weights of a whole model (`--load-from`), has them
    already, and testing needs none: the file is looked for only where it is used.

    Args:
        module: Dotted name of the part, e.g. "backbone".
        checkpoint: Its weights, in any layout that is known.
        page: Where the file is published; an error about its absence says so.
    """

    priority = "VERY_HIGH"

    def __init__(self, module: str, checkpoint: str, *, page: str = "") -> None:
        self.module = module
        self.checkpoint = checkpoint
        self.page = page

    def before_train(self, runner: Runner) -> None:
        """Load, unless the whole model has been loaded."""
        if runner._has_loaded:
            return
        if not Path(self.checkpoint).is_file():
            source = f" It is published at {self.page}." if self.page else ""
            raise CheckpointError(
                f"the training starts from {self.checkpoint}, which is not there.{source} Without "
                "it: custom_hooks=[] trains from random weights, --load-from from a whole model's"
            )
        weights = load_checkpoint(self.checkpoint)["state_dict"]
        report = load_state_dict_strict(
            runner.bare_model.get_submodule(self.module), weights, source=self.checkpoint
        )
        runner.logger.info(
            f"{self.checkpoint}: {len(report.matched)} weights of {self.module} loaded, all "
            f"matched (layout of {report.layout})"
        )
