"""Prepare pairs of image and expression for the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vgtoolbox.inference.inputs.images import downscale_to_limit
from vgtoolbox.inference.inputs.pairing import Pair
from vgtoolbox.inference.inputs.sources import ImageLike
from vgtoolbox.inference.results.naming import safe_name
from vgtoolbox.utils.text import check_encodable, is_visible
from vgtoolbox.visualization.drawing import RGBImage


@dataclass(frozen=True)
class PreparedPair:
    """Input of the model for one pair.

    Attributes:
        item: Output of the pipeline: `inputs` and `data_samples`.
        expression: Expression as the user wrote it.
        size: (H, W) of the original image, before it was downscaled to limit memory.
        source: Image as it was given.
    """

    item: dict[str, Any]
    expression: str
    size: tuple[int, int]
    source: ImageLike


def prepare_pair(
    pixels: RGBImage,
    pair: Pair,
    name: str,
    *,
    pipeline: Callable[[dict[str, Any]], Any],
    rounds: Sequence[Any] = (),
) -> PreparedPair:
    """Run a test pipeline on a decoded image and its expression.

    Args:
        pixels: Decoded image, (H, W, 3) uint8 RGB.
        pair: Image as it was given, and expression.
        name: Name of the image.
        pipeline: Transforms, from a record to `inputs` and `data_samples`.
        rounds: Results of earlier rounds about the same image.

    Raises:
        ValueError: The expression is empty, or has half a character (a lone surrogate).
    """
    source, expression = pair
    check_encodable(expression, f"the expression for {name}")
    if not is_visible(expression):
        raise ValueError(
            f"the expression {expression!r} for {name} is empty; write what to look for"
        )
    record: dict[str, Any] = {
        "image": downscale_to_limit(pixels),
        "img_path": name,
        "sample_idx": 0,
        "sample_id": safe_name(Path(name).stem, expression, unread=name),
        "split": "",
        "expressions": [expression],
        "rounds": tuple(rounds),
        "rng": np.random.default_rng(0),
    }
    return PreparedPair(pipeline(record), expression, (pixels.shape[0], pixels.shape[1]), source)
