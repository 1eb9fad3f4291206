"""Automatic mixed precision on any device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn
from torch.optim import Optimizer

from vgtoolbox.registry import OPTIM_WRAPPERS
from vgtoolbox.utils.choices import check_choice

_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """Optimizer wrapper that runs forward passes under autocast; weights and steps stay float32.

    mmengine's `AmpOptimWrapper` needs a GPU. This one uses the device of the parameters. float16
    losses are scaled against underflow, bfloat16 needs no scaling.

    Args:
        optimizer: Optimizer of the weights.
        dtype: Data type of the forward pass, "bfloat16" or "float16".
        accumulative_counts: Number of iterations whose gradients are accumulated for one step.
        clip_grad: Arguments of `torch.nn.utils.clip_grad_norm_`. If `None`, gradients are not
            clipped.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        dtype: str = "bfloat16",
        accumulative_counts: int = 1,
        clip_grad: dict | None = None,
    ) -> None:
        super().__init__(optimizer, accumulative_counts, clip_grad)
        check_choice("dtype", dtype, _DTYPES)
        self.dtype = _DTYPES[dtype]
        self.device_type = optimizer.param_groups[0]["params"][0].device.type
        self.scaler = torch.amp.GradScaler(self.device_type, enabled=dtype == "float16")

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Run the forward pass under autocast, without synchronization while accumulating."""
        with super().optim_context(model), torch.autocast(self.device_type, dtype=self.dtype):
            yield

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Backpropagate the scaled loss (arguments of `Tensor.backward`)."""
        self.scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Clip the unscaled gradients and step, unless a gradient overflowed."""
        if self.clip_grad_kwargs:
            self.scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.scaler.step(self.optimizer, **kwargs)
        self.scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the optimizer and the scaler."""
        return {**super().state_dict(), "scaler": self.scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore a state from `state_dict`; one without a scaler is valid."""
        rest = dict(state_dict)
        self.scaler.load_state_dict(rest.pop("scaler", {}) or self.scaler.state_dict())
        super().load_state_dict(rest)
