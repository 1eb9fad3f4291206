"""Batches on their way from a worker process, all small tensors in one piece.

torch sends each tensor by a file handle of its own, through a socket: for tokens, boxes and masks
of a batch that takes longer than resizing its images.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

_ALIGNMENT = 16  # of bytes; no dtype needs more


def ready_to_send(batch: dict[str, Any]) -> dict[str, Any]:
    """Return a batch as a worker process sends it; in the main process, as it is."""
    return BatchInTransit(batch) if get_worker_info() else batch


class BatchInTransit(dict[str, Any]):
    """A batch that another process receives as a plain dict of the same values."""

    def __reduce__(self) -> tuple[Any, ...]:
        return unpack, pack(dict(self))


def pack(batch: Any) -> tuple[bytes, Tensor, list[Tensor]]:
    """Take the tensors out of a batch.

    Returns:
        The batch without its tensors; the bytes of these, (n,) uint8 in shared memory; and those
        that were in shared memory already, which are not copied.
    """
    stream = io.BytesIO()
    pickler = _TensorPickler(stream, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.dump(batch)
    # Straight into shared memory, as default_collate does: touching fresh memory is what costs.
    storage = torch.UntypedStorage._new_shared(max(1, pickler.num_bytes))
    packed = torch.empty(0, dtype=torch.uint8).set_(storage)
    for start, tensor in pickler.tensors:
        flat = tensor.reshape(-1).view(torch.uint8)
        packed[start : start + len(flat)] = flat
    return stream.getvalue(), packed, pickler.shared


def unpack(skeleton: bytes, packed: Tensor, shared: Sequence[Tensor]) -> Any:
    """Put the tensors back; those that were packed share the memory of `packed`."""
    # Only what `pack` made in a worker of this very program comes here.
    return _TensorUnpickler(io.BytesIO(skeleton), packed, shared).load()


class _TensorPickler(pickle.Pickler):
    """Notes a tensor's place instead of its bytes."""

    def __init__(self, stream: io.BytesIO, protocol: int) -> None:
        super().__init__(stream, protocol)
        self.tensors: list[tuple[int, Tensor]] = []
        self.shared: list[Tensor] = []
        self.num_bytes = 0

    def persistent_id(self, value: Any) -> Any:
        if type(value) is not Tensor or value.device.type != "cpu" or value.requires_grad:
            return None
        if value.is_shared():
            self.shared.append(value)
            return len(self.shared) - 1
        tensor = value.contiguous()
        start = self.num_bytes
        self.tensors.append((start, tensor))
        size = tensor.numel() * tensor.element_size()
        self.num_bytes += -(-size // _ALIGNMENT) * _ALIGNMENT
        return start, size, tensor.dtype, tuple(tensor.shape)


class _TensorUnpickler(pickle.Unpickler):
    def __init__(self, stream: io.BytesIO, packed: Tensor, shared: Sequence[Tensor]) -> None:
        super().__init__(stream)
        self._packed = packed
        self._shared = shared

    def persistent_load(self, place: Any) -> Tensor:
        if isinstance(place, int):
            return self._shared[place]
        start, size, dtype, shape = place
        return self._packed[start : start + size].view(dtype).reshape(shape)
