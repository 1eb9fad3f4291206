"""Tensors that depend on sizes alone, computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch
from torch import Tensor


class ConstantCache:
    """Keeps the constant tensors of a layer: positions, distances, extents of a grid.

    They are no buffers, since what they depend on is known only in `forward`. The key must name
    all of it, device and dtype included.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, Tensor] = {}

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """Return what `make` gives for `key`, calling it at most once."""
        if torch.compiler.is_compiling():  # folded into the graph; a traced tensor must not stay
            return make()
        if key not in self._kept:
            # One made in inference mode could not take part in training later.
            with torch.inference_mode(False), torch.no_grad():
                self._kept[key] = make()
        return self._kept[key]
