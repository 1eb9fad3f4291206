"""Precision policy of the inferencer."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Literal, TypeVar, get_args

import torch
from torch import nn

from vgtoolbox.utils.choices import check_choice

Precision = Literal["auto", "float32", "bfloat16", "float16"]
Model = TypeVar("Model", bound=nn.Module)
_HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


class PrecisionPolicy:
    """Precision of a model's weights, and the context that its forward pass runs in.

    Args:
        name: "auto" keeps the weights as config and checkpoint have them; "float32" converts them;
            "bfloat16" and "float16" store matrices in that type and compute under autocast, which
            keeps norms and sums in float32.

    Raises:
        ValueError: The name is unknown.
    """

    def __init__(self, name: Precision = "auto") -> None:
        check_choice("dtype", name, get_args(Precision))
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
    """Store the matrices that autocast would otherwise convert in every forward pass."""
    for module in model.modules():
        if type(module) in (nn.Linear, nn.Conv2d, nn.ConvTranspose2d):
            module.to(dtype)
