"""Send batches from worker processes with all small tensors in one block of memory.

torch sends each tensor by its own file handle, through a socket: for the tokens, boxes and masks of
a batch, that takes longer than resizing its images.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

_ALIGNMENT = 16  # bytes; no dtype needs more


def ready_to_send(batch: dict[str, Any]) -> dict[str, Any]:
    """Prepare a batch for transfer in a worker process; return it unchanged in the main process."""
    return BatchInTransit(batch) if get_worker_info() else batch


class BatchInTransit(dict[str, Any]):
    """A batch that another process receives as a plain dict of the same values."""

    def __reduce__(self) -> tuple[Any, ...]:
        return unpack, pack(dict(self))


def pack(batch: Any) -> tuple[bytes, Tensor, list[Tensor]]:
    """Take the tensors out of a batch.

    Returns:
        The pickled batch without its tensors; the bytes of these tensors, (n,) uint8 in shared
        memory; and the tensors that were already in shared memory, which are not copied.
    """
    stream = io.BytesIO()
    pickler = _TensorPickler(stream, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.dump(batch)
    # Allocate in shared memory, as default_collate does: touching fresh memory is the expensive
    # part, so it is done once.
    storage = torch.UntypedStorage._new_shared(max(1, pickler.num_bytes))
    packed = torch.empty(0, dtype=torch.uint8).set_(storage)
    for start, tensor in pickler.tensors:
        flat = tensor.reshape(-1).view(torch.uint8)
        packed[start : start + len(flat)] = flat
    return stream.getvalue(), packed, pickler.shared


def unpack(skeleton: bytes, packed: Tensor, shared: Sequence[Tensor]) -> Any:
    """Put the tensors back; packed ones share the memory of `packed`."""
    # The bytes come only from `pack` in a worker of this program, never from a file.
    return _TensorUnpickler(io.BytesIO(skeleton), packed, shared).load()


class _TensorPickler(pickle.Pickler):
    """Pickler that writes the place of a tensor instead of its bytes."""

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
    """Unpickler that looks tensors up by their place."""

    def __init__(self, stream: io.BytesIO, packed: Tensor, shared: Sequence[Tensor]) -> None:
        super().__init__(stream)
        self._packed = packed
        self._shared = shared

    def persistent_load(self, place: Any) -> Tensor:
        if isinstance(place, int):
            return self._shared[place]
        start, size, dtype, shape = place
        return self._packed[start : start + size].view(dtype).reshape(shape)
