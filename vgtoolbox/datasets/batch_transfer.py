"""Samples on their way from a worker process, all their tensors in one piece.

torch sends each tensor by a file handle of its own, through a socket: for boxes and masks of a
batch that takes longer than resizing its images.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

_ALIGNMENT = 16  # of bytes; no dtype needs more


class SamplesInTransit(list[Any]):
    """A list that another process receives as a plain list of the same samples."""

    def __reduce__(self) -> tuple[Any, ...]:
        return unpack_samples, pack_samples(list(self))


def pack_samples(samples: Sequence[Any]) -> tuple[bytes, Tensor]:
    """Take the tensors out of samples.

    Returns:
        The samples without their tensors, and the bytes of all tensors, (n,) uint8.
    """
    stream = io.BytesIO()
    pickler = _TensorPickler(stream, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.dump(list(samples))
    packed = torch.zeros(pickler.num_bytes, dtype=torch.uint8)
    for start, tensor in pickler.tensors:
        flat = tensor.reshape(-1).view(torch.uint8)
        packed[start : start + len(flat)] = flat
    return stream.getvalue(), packed


def unpack_samples(skeleton: bytes, packed: Tensor) -> list[Any]:
    """Put the tensors back; they share the memory of `packed`."""
    # Only what `pack_samples` made in a worker of this very program comes here.
    return _TensorUnpickler(io.BytesIO(skeleton), packed).load()


class _TensorPickler(pickle.Pickler):
    """Notes a tensor's place instead of its bytes."""

    def __init__(self, stream: io.BytesIO, protocol: int) -> None:
        super().__init__(stream, protocol)
        self.tensors: list[tuple[int, Tensor]] = []
        self.num_bytes = 0

    def persistent_id(self, value: Any) -> Any:
        if type(value) is not Tensor or value.device.type != "cpu" or value.requires_grad:
            return None
        tensor = value.contiguous()
        start = self.num_bytes
        self.tensors.append((start, tensor))
        size = tensor.numel() * tensor.element_size()
        self.num_bytes += -(-size // _ALIGNMENT) * _ALIGNMENT
        return start, size, tensor.dtype, tuple(tensor.shape)


class _TensorUnpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, packed: Tensor) -> None:
        super().__init__(stream)
        self._packed = packed

    def persistent_load(self, place: Any) -> Tensor:
        start, size, dtype, shape = place
        return self._packed[start : start + size].view(dtype).reshape(shape)
