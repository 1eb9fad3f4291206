"""Stop training when a loss is NaN or infinite."""

from __future__ import annotations

import math
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from vgtoolbox.registry import HOOKS


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Raise an error as soon as a loss is NaN or infinite, before a checkpoint is saved.

    The logger reads all losses in every iteration anyway, so the check adds no synchronization.
    """

    priority = "HIGH"

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Check the losses of this iteration.

        Raises:
            FloatingPointError: A loss is not finite; the message gives iteration and samples.
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
            + f"; samples {ids}. Resume from the last checkpoint, which is older, with a lower "
            "learning rate, with gradient clipping, or without mixed precision"
        )
