"""One instance that a model found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vgtoolbox.structures import RLE, decode_masks


@dataclass(frozen=True)
class Target:
    """An instance, in pixels of the original image.

    Attributes:
        box_xyxy: Corners x1, y1, x2, y2.
        score: Probability of being a target, in [0, 1].
        rle: Mask as a COCO run-length encoding, or `None` if the model predicts no instance masks.
        point: Prior point x, y that the instance was decoded from, or `None` if the system has
            none.
    """

    box_xyxy: tuple[float, float, float, float]
    score: float
    rle: RLE | None = None
    point: tuple[float, float] | None = None

    @property
    def mask(self) -> NDArray[np.bool_] | None:
        """Mask as an array (H, W) bool, decoded at each access, or `None`."""
        return None if self.rle is None else decode_masks([self.rle])[0].numpy()
