"""Cosine filters that initialize a patch embedding, scaled to the spectrum of natural images."""

from __future__ import annotations

import numpy as np
import torch
from scipy.fft import dct
from torch import Tensor

# Brightness and the two color differences: opponent channels, orthonormal, (3 filters, 3 RGB).
_OPPONENT_COLORS = np.array([[1, 1, 1], [1, -1, 0], [0.5, 0.5, -1]])
_OPPONENT_COLORS /= np.linalg.norm(_OPPONENT_COLORS, axis=1, keepdims=True)


def cosine_patch_basis(patch_size: int, channels: int) -> Tensor:
    """Return filters for the lowest cosine frequencies of brightness and color in a patch.

    The amplitude spectrum of natural images falls as 1 / frequency (Field, 1987), so random filters
    respond to little but the mean color of a patch. The gain of these filters rises with frequency:
    their outputs, edges included, have about equal strength and are almost uncorrelated.

    Args:
        patch_size: Side P of a patch.
        channels: Number of filters requested.

    Returns:
        Filters (C, 3, P, P), from low to high frequency; C = min(channels, 3 * P * P).
    """
    waves = dct(np.eye(patch_size), axis=0, norm="ortho")  # (P frequencies, P positions)
    rows, columns = np.indices((patch_size, patch_size))
    frequency = np.hypot(rows, columns).ravel()
    order = np.argsort(frequency, kind="stable")
    rows, columns, frequency = rows.ravel()[order], columns.ravel()[order], frequency[order]
    planes = waves[rows, :, None] * waves[columns, None, :]  # (P * P, P, P)
    # 1 + frequency rather than frequency, so that the mean (frequency 0) does not vanish.
    planes *= ((1 + frequency) / patch_size)[:, None, None]
    filters = np.einsum("fyx,oc->focyx", planes, _OPPONENT_COLORS)  # (P * P, 3, 3, P, P)
    flat = filters.reshape(-1, 3, patch_size, patch_size)[:channels]
    return torch.from_numpy(np.ascontiguousarray(flat)).float()
