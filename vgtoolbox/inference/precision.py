"""In which precision an inferencer computes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeVar, get_args

import torch
from torch import nn

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Model = TypeVar("Model", bound=nn.Module)
_HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class PrecisionPolicy:
    """The precision of a model, and the context that it computes in.

    Args:
        name: "auto" leaves the weights as config and checkpoint have them; "float32" widens them;
            a half stores matrices in it and computes under autocast, by which norms and sums stay
            in float32.

    Raises:
        ValueError: An unknown name.
    """

    def __init__(self, name: Precision = "auto") -> None:
        if name not in get_args(Precision):
            raise ValueError(f"dtype must be one of {', '.join(get_args(Precision))}, got {name!r}")
        self.name: Precision = name
        self._half = _HALVES.get(name)

    def prepare(self, model: Model) -> Model:
        """Store the weights of a model in this precision, in place, and return it."""
        if self.name == "float32":
            return model.float()
        if self._half is not None:
            store_matrices(model, self._half)
        return model

    def context(self, device: torch.device) -> AbstractContextManager[object]:
        """Return the context for a forward pass on a device."""
        if self._half is None:
            return nullcontext()
        return torch.autocast(device.type, dtype=self._half)


def store_matrices(model: nn.Module, dtype: torch.dtype) -> None:
    """Keep what autocast would cast in every pass in that precision from the start."""
    for module in model.modules():
        if type(module) in (nn.Linear, nn.Conv2d, nn.ConvTranspose2d):
            module.to(dtype)
