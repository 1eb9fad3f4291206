"""Stopping a training whose loss is no number any more."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from vgtoolbox.registry import HOOKS


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Raise as soon as a loss is infinite or not a number, before a checkpoint is written of it.

    The logger reads every loss in every iteration anyway, so looking at them costs nothing more.
    """

    priority = "HIGH"

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Look at the losses of this iteration.

        Raises:
            FloatingPointError: Names the losses, the iteration and the samples.
        """
        losses = {
            name: float(torch.as_tensor(value).detach()) for name, value in (outputs or {}).items()
        }
        bad = {name: value for name, value in losses.items() if not math.isfinite(value)}
        if not bad:
            return
        samples = data_batch.get("data_samples", []) if isinstance(data_batch, dict) else []
        ids = [str(sample.get("sample_id", "?")) for sample in samples]
        raise FloatingPointError(
            f"iteration {runner.iter + 1} (epoch {runner.epoch + 1}): "
            + ", ".join(f"{name} is {value}" for name, value in bad.items())
            + f"; samples {ids}. The last checkpoint is from before: resume from it with a lower "
            "learning rate, gradient clipping, or without mixed precision"
        )
