"""Maps of numbers over a picture, such as where a model looked."""

from __future__ import annotations

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

from vgtoolbox.visualization.drawing import RGBImage, check_rgb_image

# Even in lightness, and the same to every colour vision (Nuñez et al., 2018).
_COLORS = "cividis"


def draw_heat(image: RGBImage, values: NDArray[np.floating], *, alpha: float = 0.6) -> RGBImage:
    """Lay a map over a picture, the least value dark blue and the greatest yellow.

    Args:
        image: uint8 RGB (H, W, 3).
        values: (h, w), of any range, in the frame of the picture at any size.
        alpha: How much it covers, 0 to 1.

    Raises:
        ValueError: A value is not finite.
    """
    check_rgb_image(image)
    if values.ndim != 2 or not np.isfinite(values).all():
        raise ValueError(f"a map is finite and of shape (h, w), got shape {values.shape}")
    low, high = float(values.min()), float(values.max())
    level = (values - low) / (high - low) if high > low else np.zeros_like(values)
    size = (image.shape[1], image.shape[0])
    smooth = cv2.resize(level.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    table = (matplotlib.colormaps[_COLORS](np.arange(256))[:, :3] * 255).astype(np.float32)
    heat = table[np.rint(np.clip(smooth, 0, 1) * 255).astype(np.uint8)]
    return np.rint(image * (1 - alpha) + heat * alpha).astype(np.uint8)
