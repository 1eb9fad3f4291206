"""Find weights that are NaN or infinite."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from vgtoolbox.checkpoint.errors import CheckpointError

_SHOWN = 5
# Tables that are added to attention logits, in which -inf hides a position.
_MASK = re.compile(r"(?:.*[._])?(?:attn|attention|causal)_mask")


def is_finite(key: str, tensor: Tensor) -> bool:
    """Return whether all values of a tensor are finite, or need not be.

    A sum reads the values once, in the time of a copy or less, and takes no memory; `isfinite` is
    ten times slower. If the sum is not finite, the values are examined, as large ones may overflow.

    Args:
        key: Name of the tensor; attention masks may be infinite.
        tensor: Tensor of any dtype. One of the meta device has no values.
    """
    if tensor.is_meta or not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    values = tensor.float() if tensor.dtype.itemsize == 1 else tensor
    if bool(torch.isfinite(values.sum())):
        return True
    if _MASK.fullmatch(key):
        return not bool(torch.isnan(values).any())
    return bool(torch.isfinite(values).all())


def check_finite(state: Mapping[str, Tensor], source: str) -> None:
    """Raise if weights are NaN or infinite.

    Raises:
        CheckpointError: The message names the first of these tensors.
    """
    bad = [key for key, value in state.items() if not is_finite(key, value)]
    if bad:
        raise nonfinite_error(bad, source)


def nonfinite_error(keys: Sequence[str], source: str) -> CheckpointError:
    """Return the error that names the tensors with NaN or infinite values."""
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return CheckpointError(
        f"{source}: {len(keys)} tensors must be finite, got NaN or infinite values in "
        f"{', '.join(keys[:_SHOWN])}{more}. The training diverged, or the file is damaged: use an "
        "earlier checkpoint or download it again; in Python, allow_nonfinite=True of "
        "load_state_dict_strict loads it as it is"
    )
