"""Draw heat maps, such as attention maps, over an image."""

from __future__ import annotations

import cv2
import matplotlib
import numpy as np
from numpy.typing import NDArray

from vgtoolbox.utils.choices import check_fraction
from vgtoolbox.visualization.drawing import RGBImage, check_rgb_image

# Perceptually uniform, and the same for every type of color vision (Nuñez et al., 2018).
_COLORMAP = "cividis"


def draw_heatmap(image: RGBImage, values: NDArray[np.floating], *, alpha: float = 0.6) -> RGBImage:
    """Draw a heat map over an image, from dark blue (smallest value) to yellow (largest value).

    Args:
        image: Image, uint8 RGB (H, W, 3).
        values: Map (h, w) that covers the whole image at any resolution, with any value range.
        alpha: Opacity of the map in [0, 1].

    Raises:
        ValueError: A value is not finite, the shape is not (h, w), or `alpha` is not in [0, 1].
    """
    check_rgb_image(image)
    check_fraction("alpha", alpha)
    if values.ndim != 2:
        raise ValueError(f"values must have the shape (h, w), got shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite, got NaN or infinity")
    low, high = float(values.min()), float(values.max())
    level = (values - low) / (high - low) if high > low else np.zeros_like(values)
    size = (image.shape[1], image.shape[0])
    smooth = cv2.resize(level.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    table = (matplotlib.colormaps[_COLORMAP](np.arange(256))[:, :3] * 255).astype(np.float32)
    heat = table[np.rint(np.clip(smooth, 0, 1) * 255).astype(np.uint8)]
    return np.rint(image * (1 - alpha) + heat * alpha).astype(np.uint8)
