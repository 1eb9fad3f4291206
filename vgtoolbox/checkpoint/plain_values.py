"""Make plain containers of the content of a checkpoint file.

A file may give a dictionary attributes that hide its methods, nest containers without end, or share
them so that copying them takes forever. Code that reads the content must not care.
"""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import numpy as np
import torch
from torch import Tensor

_MAX_DEPTH = 100
_MAX_COPIES = 1_000_000  # of values that are used in several places


class NestingError(ValueError):
    """Containers are nested deeply, in circles, or shared too often."""


def plain_values(value: Any) -> Any:
    """Return the same values in dictionaries, lists and tuples without attributes.

    Namespaces become dictionaries, arrays and parameters become tensors.

    Raises:
        NestingError: Containers are nested deeply, in circles, or shared too often.
    """
    return _Copier().copy(value, 0)[0]


class _Copier:
    """Copies of containers, with the number of values that each would have without sharing."""

    def __init__(self) -> None:
        self._copies: dict[int, tuple[Any, int]] = {}
        self._values = 0

    def copy(self, value: Any, depth: int) -> tuple[Any, int]:
        """Return the copy of a value and its size."""
        if isinstance(value, Tensor):
            return Tensor.detach(value), 1
        if isinstance(value, np.ndarray):
            return torch.from_numpy(np.array(value)), 1
        if isinstance(value, Namespace):
            value = vars(value)
        if not isinstance(value, (dict, list, tuple)):
            return value, 1
        if id(value) not in self._copies:
            if depth > _MAX_DEPTH:
                raise NestingError(f"its containers are nested in more than {_MAX_DEPTH} levels")
            self._copies[id(value)] = self._copy_container(value, depth + 1)
        copied, size = self._copies[id(value)]
        if size > self._values + _MAX_COPIES:
            raise NestingError("its containers share their parts too often")
        return copied, size

    def _copy_container(self, value: Any, depth: int) -> tuple[Any, int]:
        # The methods of the base class, because attributes may hide those of the object.
        values = list(dict.values(value)) if isinstance(value, dict) else list(value)
        pairs = [self.copy(entry, depth) for entry in values]
        entries, size = [pair[0] for pair in pairs], 1 + sum(pair[1] for pair in pairs)
        self._values += 1 + len(pairs)
        if isinstance(value, dict):
            return dict(zip(dict.keys(value), entries, strict=True)), size
        return (entries if isinstance(value, list) else tuple(entries)), size
