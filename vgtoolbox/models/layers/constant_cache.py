"""Cache of tensors that depend only on sizes, such as the positions of a grid."""

from __future__ import annotations

from collections.abc import Callable, Hashable

import torch
from torch import Tensor


class ConstantCache:
    """Constant tensors of a layer: positions, distances and extents of a grid.

    They cannot be buffers, because the size of the grid is known only in `forward`. The key must
    contain everything that a tensor depends on, including device and dtype.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, Tensor] = {}

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """Return the tensor of `key`, made on the first call.

        Args:
            key: Everything that the tensor depends on.
            make: Function that computes the tensor.
        """
        if torch.compiler.is_compiling():
            # The compiler folds the tensor into the graph; a traced tensor must not be cached.
            return make()
        if key not in self._kept:
            # A tensor made in inference mode could not be used in training later.
            with torch.inference_mode(False), torch.no_grad():
                self._kept[key] = make()
        return self._kept[key]
