"""A patch embedding to start from: cosines, as strong as natural images need them to be."""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor

# Brightness and the two colour differences: opponent channels, orthonormal.
_OPPONENT_COLOURS = np.array([[1, 1, 1], [1, -1, 0], [0.5, 0.5, -1]])
_OPPONENT_COLOURS /= np.linalg.norm(_OPPONENT_COLOURS, axis=1, keepdims=True)


def cosine_patch_basis(patch_size: int, channels: int) -> Tensor:
    """Return filters for the lowest cosine frequencies of brightness and colour in a patch.

    The amplitude of natural images falls as 1 / frequency (Field, 1987), so random filters all see
    little but the patch's mean colour. These rise with the frequency: their outputs are about
    equally strong, edges among them, and hardly correlated.

    Args:
        patch_size: P.
        channels: Number of filters wanted.

    Returns:
        (C, 3, P, P), from low frequencies to high; C = min(channels, 3 * P * P).
    """
    waves = dct(np.eye(patch_size), axis=0, norm="ortho")  # (P frequencies, P positions)
    rows, columns = np.indices((patch_size, patch_size))
    frequency = np.hypot(rows, columns).ravel()
    order = np.argsort(frequency, kind="stable")
    rows, columns, frequency = rows.ravel()[order], columns.ravel()[order], frequency[order]
    planes = waves[rows, :, None] * waves[columns, None, :]  # (P * P, P, P)
    planes *= ((1 + frequency) / patch_size)[:, None, None]
    filters = np.einsum("fyx,oc->focyx", planes, _OPPONENT_COLOURS)
    flat = filters.reshape(-1, 3, patch_size, patch_size)[:channels]
    return torch.from_numpy(np.ascontiguousarray(flat)).float()
